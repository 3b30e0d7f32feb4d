"""The commands ``shanben token``: tokens of partners, programs of other institutions."""

from __future__ import annotations

import click

from iiif_server.auth.credentials import PARTNER_PREFIX
from repository.config import process_settings
from repository.localized import LocalizedText
from repository.model.accounts import account_name, normalized_name
from repository.model.partners import Partner, Scope
from repository.repository import Repository, open_repository
from web.cli.terminal import Terminal, command


@click.group()
def token() -> None:
    """合作机构令牌：发放、列出、撤销。 Tokens of partners: create, list, revoke."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="权限，可重复。 What it may do; may be repeated.",
)
@command
def create(terminal: Terminal, name: str, scopes: tuple[str, ...]) -> None:
    """发放令牌，只显示这一次。 Create a token, which is shown this once."""
    partner, secret = _repository().partner_tokens.create(account_name(name), map(Scope, scopes), PARTNER_PREFIX)
    name = partner.name
    terminal.write(
        LocalizedText(
            f"{name} 的令牌，只显示这一次，请妥善交给对方：",
            f"The token of {name}, shown this once; hand it over safely:",
        )
    )
    terminal.write(LocalizedText(secret, secret))
    terminal.result({**partner.to_json(), "token": secret})


@token.command(name="list")
@command
def list_tokens(terminal: Terminal) -> None:
    """列出全部令牌（不含令牌本身）。 List all tokens, without the secrets."""
    partners = _repository().partner_tokens.all()
    for partner in partners:
        terminal.write(_line(partner))
    if not partners:
        terminal.write(LocalizedText("没有令牌", "There are no tokens"))
    terminal.result({"tokens": [partner.to_json() for partner in partners]})


@token.command()
@click.argument("name")
@command
def revoke(terminal: Terminal, name: str) -> None:
    """撤销令牌，数秒内失效。 Revoke a token; it ends within seconds."""
    partner = _repository().partner_tokens.revoke(normalized_name(name))
    terminal.write(LocalizedText(f"已撤销 {partner.name} 的令牌", f"Token of {partner.name} revoked"))
    terminal.result(partner.to_json())


def _repository() -> Repository:
    return open_repository(process_settings())


def _line(partner: Partner) -> LocalizedText:
    scopes = " ".join(sorted(scope.value for scope in partner.scopes))
    shown = f"{partner.name}  {scopes}"
    since = partner.revoked
    if since is None:
        return LocalizedText(shown, shown)
    return LocalizedText(f"{shown}（已撤销，{since}）", f"{shown} (revoked {since})")
