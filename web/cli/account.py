"""The commands ``shanben account``: accounts of staff. Passwords are read from standard input."""

from __future__ import annotations

import click

from repository.config import process_settings
from repository.localized import LocalizedText
from repository.model.accounts import ROLE_NAMES, Account, Role, account_name, normalized_name
from repository.repository import Repository, open_repository
from web.accounts.login import account_subject
from web.accounts.passwords import Passwords, check_password
from web.cli.password_input import read_password
from web.cli.terminal import Terminal, command


@click.group()
def account() -> None:
    """馆员账号：增加、列出、停用、改密码。 Accounts of staff: add, list, disable, change passwords."""


@account.command()
@click.argument("name")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="角色。 The role.")
@command
def add(terminal: Terminal, name: str, role: str) -> None:
    """增加账号，密码由标准输入读取。 Add an account; its password is read from standard input."""
    name = account_name(name)
    encoded = _hash_new_password(name)
    added = _repository().accounts.add(name, Role(role), encoded)
    _show(terminal, added, LocalizedText(f"已增加账号 {name}", f"Account {name} added"))


@account.command(name="list")
@command
def list_accounts(terminal: Terminal) -> None:
    """列出全部账号。 List all accounts."""
    accounts = _repository().accounts.all()
    for each in accounts:
        terminal.write(_line(each))
    if not accounts:
        terminal.write(LocalizedText("没有账号", "There are no accounts"))
    terminal.result({"accounts": [each.to_json() for each in accounts]})


@account.command()
@click.argument("name")
@command
def disable(terminal: Terminal, name: str) -> None:
    """停用账号，其登录随即失效。 Disable an account and end its sessions."""
    disabled = _repository().accounts.disable(normalized_name(name))
    text = LocalizedText(f"已停用账号 {disabled.name}", f"Account {disabled.name} disabled")
    _show(terminal, disabled, text)


@account.command()
@click.argument("name")
@command
def enable(terminal: Terminal, name: str) -> None:
    """恢复已停用的账号，密码不变。 Enable a disabled account; its password stays."""
    enabled = _repository().accounts.enable(normalized_name(name))
    _show(terminal, enabled, LocalizedText(f"已恢复账号 {enabled.name}", f"Account {enabled.name} enabled"))


@account.command()
@click.argument("name")
@command
def password(terminal: Terminal, name: str) -> None:
    """改密码，由标准输入读取；其登录随即失效。 Change a password, read from standard input; end the sessions."""
    repository, name = _repository(), normalized_name(name)
    changed = repository.accounts.change_password(name, _hash_new_password(name))
    repository.login_failures.forget(account_subject(name))
    _show(terminal, changed, LocalizedText(f"已更改账号 {name} 的密码", f"Password of account {name} changed"))


def _repository() -> Repository:
    return open_repository(process_settings())


def _hash_new_password(name: str) -> str:
    new = read_password(is_new=True)
    check_password(name, new)
    return Passwords().hash(new)


def _show(terminal: Terminal, shown: Account, text: LocalizedText) -> None:
    terminal.write(text)
    terminal.result(shown.to_json())


def _line(shown: Account) -> LocalizedText:
    role = ROLE_NAMES[shown.role]
    zh, en = f"{shown.name}  {role.zh}", f"{shown.name}  {role.en}"
    since = shown.disabled
    return LocalizedText(f"{zh}（已停用，{since}）", f"{en} (disabled {since})") if since else LocalizedText(zh, en)
