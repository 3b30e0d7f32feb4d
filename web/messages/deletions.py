"""The texts about deletions on the pages of staff. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

DELETION_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "deletion.title": LocalizedText("删除", "Deletion"),
        "deletion.none": LocalizedText(
            "无人申请删除。删除须由一人申请，等待 {days} 天，再由另一人确认；原图及其全部副本一并删除，不可恢复。",
            "Nobody has requested it. One person requests a deletion, and another confirms it {days} days later. "
            "It deletes the masters and all their copies for good.",
        ),
        "deletion.public": LocalizedText(
            "只能删除已撤下的著作；请先在服务器上用 shanben withdraw 撤下。",
            "Only a withdrawn work can be deleted; withdraw it first on the server, by shanben withdraw.",
        ),
        "deletion.role": LocalizedText(
            "申请、确认和撤销须由保存人员或管理员办理。",
            "Conservators and administrators request, confirm and cancel deletions.",
        ),
        "deletion.requested": LocalizedText(
            "{account} 于 {time} 申请删除第 {version} 版。{earliest} 之后由另一账号确认。",
            "{account} requested the deletion of v{version}, {time}. Another account may confirm it from {earliest}.",
        ),
        "deletion.reason": LocalizedText("理由", "Reason"),
        "deletion.reason-kept": LocalizedText(
            "存于数据库，馆员可见，不公开。", "Kept in the database for staff, and never published."
        ),
        "deletion.obstacle": LocalizedText("您现在不能确认：{reason}。", "You cannot confirm it now: {reason}."),
        "deletion.confirmed": LocalizedText("{time} 决定删除，正在进行。", "Decided {time}, and being carried out."),
        "deletion.deleted": LocalizedText(
            "{time} 决定删除，已删除；日志仍可证明其曾入藏。",
            "Decided {time}, and deleted; the log still proves that the work was held.",
        ),
        "deletion.request": LocalizedText("申请删除", "Request deletion"),
        "deletion.confirm": LocalizedText("确认删除", "Confirm deletion"),
        "deletion.confirm-warning": LocalizedText(
            "确认之后，原图及其在各处存储的全部副本都会删除，不可恢复，也不能撤销。",
            "The confirmation deletes the masters and all their copies in every store for good, and cannot be undone.",
        ),
        "deletion.cancel": LocalizedText("撤销申请", "Cancel the request"),
        "deletion.password": LocalizedText("{account} 的密码", "Password of {account}"),
        "deletion.list": LocalizedText("待确认及进行中的删除", "Deletions that wait or are under way"),
        "deletion.list-none": LocalizedText("没有。", "None."),
        "deletion.list-more": LocalizedText("只列出最早的 {count} 件。", "Only the oldest {count} are listed."),
        "deletion.list-work": LocalizedText("著作", "Work"),
        "deletion.list-by": LocalizedText("申请人", "Requested by"),
        "deletion.list-time": LocalizedText("申请时间（UTC）", "Requested (UTC)"),
        "deletion.list-earliest": LocalizedText("可确认时间（UTC）", "May be confirmed from (UTC)"),
        "deletion.list-acts": LocalizedText("您可以", "You may"),
        "deletion.list-under-way": LocalizedText("已确认，正在删除", "Confirmed, being carried out"),
        "deletion.list-nothing": LocalizedText("只能查看", "Only look at it"),
    }
)
