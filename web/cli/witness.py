"""``shanben witness``: runs the witness of a partner library."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

import click

from preservation.log.signing_key import WITNESS_KEY_FILE, load_or_create_cosigner
from repository.errors import SettingInvalid
from repository.localized import LocalizedText
from repository.whole_numbers import parse_whole_number
from web.cli.terminal import Terminal, command

_LARGEST_PORT: Final = 65_535


@click.command()
@click.option("--listen", required=True, metavar="HOST:PORT", help="监听地址。 The address to listen on.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="见证目录。 The witness's folder.")
@click.option("--name", default="", help="见证方名称，首次启动时定下。 The witness's name, fixed at the first start.")
@click.option("--log", "logs", multiple=True, metavar="KEY", help="接受的日志公钥。 The key of a log to accept.")
@command
def witness(terminal: Terminal, listen: str, data: Path, name: str, logs: tuple[str, ...]) -> int:
    """为他馆的溯源日志作见证。 Cosign the growth of other libraries' logs (C2SP tlog-witness)."""
    # Imported here because only this command needs a web server, which takes long to load.
    from web.cli.witness_server import serve_witness  # noqa: PLC0415
    from web.witness.state import LOGS_FILE, WitnessFolder, exclusive, read_logs  # noqa: PLC0415

    host, port = _address(listen)
    with exclusive(data):
        exists = (data / WITNESS_KEY_FILE).exists()
        cosigner = load_or_create_cosigner(data, name if name or exists else f"{socket.gethostname()}/witness")
        accepted = read_logs(data, logs)
        folder = WitnessFolder(data, cosigner, accepted)

        def announce() -> None:
            key = folder.verifier_key
            terminal.write(LocalizedText(f"见证方公钥：{key}", f"The witness's key: {key}"))
            for origin in accepted:
                terminal.write(LocalizedText(f"见证日志：{origin}", f"Cosigns the log {origin}"))
            terminal.result({"key": key, "logs": list(accepted)})
            if not accepted:
                terminal.warn(_no_logs(data / LOGS_FILE))

        serve_witness(folder, host, port, announce)
    return 0


def _no_logs(path: Path) -> LocalizedText:
    return LocalizedText(
        f"尚无日志可见证：请把各馆日志的公钥（shanben log key）逐行写入 {path}，然后重新启动",
        f"No log is accepted yet: write the keys of the logs (shanben log key) into {path}, one a line, and restart",
    )


def _address(listen: str) -> tuple[str, int]:
    host, _, digits = listen.rpartition(":")
    port = parse_whole_number(digits, _LARGEST_PORT, 1)
    if not host or port is None:
        reason = LocalizedText("应为“主机:端口”", "it must be HOST:PORT")
        raise SettingInvalid(name="--listen", reason=reason)
    return host.strip("[]"), port
