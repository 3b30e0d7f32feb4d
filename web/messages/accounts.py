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
            "供馆内人员和持有账号的读者使用。阅读公开的文献无须登录。",
            "For the staff, and for readers with an account. Open works need no account.",
        ),
        "login.name": LocalizedText("账号", "Account"),
        "login.password": LocalizedText("密码", "Password"),
        "login.submit": LocalizedText("登录", "Log in"),
        "login.forgotten": LocalizedText(
            "没有账号或忘记密码的，请联系管理员。", "No account, or a forgotten password? Ask an administrator."
        ),
        "auth.title": LocalizedText("登录后查看图像", "Log in to see images"),
        "auth.lead": LocalizedText(
            "持有账号的读者登录后，可以查看本馆限制访问的图像。",
            "Readers with an account can see the library's restricted images after logging in.",
        ),
        "auth.viewer": LocalizedText(
            "{viewer} 上的阅览器请求显示本馆限制访问的图像。登录后，它可以为您显示这些图像，但得不到您的密码。",
            "A viewer at {viewer} asks to show restricted images of this library. After you log in it can show them to"
            " you; it does not learn your password.",
        ),
        "auth.insecure": LocalizedText(
            "本站未使用 HTTPS，浏览器不会为其他网站上的阅览器发送登录 Cookie，图像可能仍不显示；请改在本馆网站上阅读。",
            "This site does not use HTTPS, so browsers send no login cookie for viewers on other sites, and images may"
            " remain hidden; read on the library's own site instead.",
        ),
        "auth.continue": LocalizedText("允许显示", "Allow"),
        "auth.other": LocalizedText("退出，换用其他账号", "Log out, and use another account"),
        "auth.forgotten": LocalizedText(
            "没有账号或忘记密码的，请联系馆方。", "No account, or a forgotten password? Contact the library."
        ),
        "auth.cookies": LocalizedText(
            "若登录后其他网站上的阅览器仍不显示图像，是浏览器阻止了第三方 Cookie：请准许本馆使用，或在本馆网站上阅读。",
            "If a viewer on another site shows no images after you log in, your browser blocks third-party cookies:"
            " allow them for this library, or read on the library's own site.",
        ),
        "auth.done": LocalizedText("已登录", "Logged in"),
        "auth.close": LocalizedText(
            "可以关闭此页，回到阅览器继续阅读。", "You may close this page and return to the viewer."
        ),
        "auth.logged-out": LocalizedText("已退出登录", "Logged out"),
        "auth.close-after": LocalizedText("可以关闭此页。", "You may close this page."),
        "work.log-in": LocalizedText("有账号的读者可登录查看", "Readers with an account can log in"),
        "work.by-account": LocalizedText(
            "本文献限制访问；您已登录，可以查看全部图像。请勿转给他人。",
            "Access to this work is restricted. You are logged in and can see its images; please do not pass them on.",
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
