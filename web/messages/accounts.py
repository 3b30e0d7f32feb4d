"""The texts of the pages for accounts. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

ACCOUNT_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "site.staff": LocalizedText("馆员入口", "Staff"),
        "login.title": LocalizedText("登录", "Log in"),
        "login.lead": LocalizedText(
            "供馆内人员使用。读者阅读无须登录。", "For the staff of the library. Readers need no account."
        ),
        "login.name": LocalizedText("账号", "Account"),
        "login.password": LocalizedText("密码", "Password"),
        "login.submit": LocalizedText("登录", "Log in"),
        "login.forgotten": LocalizedText(
            "没有账号或忘记密码的，请联系管理员。", "No account, or a forgotten password? Ask an administrator."
        ),
        "logout.title": LocalizedText("退出登录", "Log out"),
        "logout.lead": LocalizedText("当前账号：{name}", "You are logged in as {name}."),
        "logout.submit": LocalizedText("退出登录", "Log out"),
        "staff.title": LocalizedText("馆员", "Staff"),
        "staff.account": LocalizedText("账号", "Account"),
        "staff.role": LocalizedText("角色", "Role"),
        "staff.may": LocalizedText("您可以", "You may"),
        "staff.status": LocalizedText("查看运行状况", "See the system status"),
        "staff.preservation": LocalizedText("查看保存报告", "See the preservation report"),
        "staff.manage": LocalizedText(
            "在服务器上用 shanben account 命令管理账号",
            "Manage accounts on the server, by the command shanben account",
        ),
        "staff.back": LocalizedText("返回馆员页", "Staff page"),
    }
)
