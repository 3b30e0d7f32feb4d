"""The command ``shanben certificate``: writes a certificate as PDF, and issues it on request.

Issuing records an event with the digest of the file that was written, so that the library can tell later which
certificates it gave out. A certificate that is only written, here or on the site, is a view and records nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Final

import click

from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from preservation.log.sequencer import can_sign, record_events, verifier_key
from preservation.log_events import certificate_event
from preservation.store_identity import verify_primary
from repository.config import process_settings
from repository.errors import RequestInvalid, SettingInvalid
from repository.localized import LocalizedText
from repository.model.accounts import normalized_name
from repository.repository import Repository, open_repository
from web.certificates.facts import CertificateFacts, read_facts
from web.certificates.form import certificate_form
from web.certificates.pdf import certificate_pdf
from web.certificates.picture import picture_path
from web.cli.output_file import write_output
from web.cli.terminal import Terminal, command
from workers.tasks.log_events import occasion, stage
from workers.tasks.outdated import heed_log

_NO_ACCOUNT: Final = LocalizedText(
    "应为在用的馆员账号，见 shanben account list",
    "give an account of staff that is in use; shanben account list has all",
)


@click.command()
@click.argument("identifier")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="PDF 文件。 The PDF file.")
@click.option("--issue", metavar="ACCOUNT", help="以此账号签发，记入日志。 Issue it by this account: logged.")
@command
def certificate(terminal: Terminal, identifier: str, output: Path | None, issue: str | None) -> None:
    """写出权属与完整性证明。 Write the certificate of a work or an image, and issue it."""
    repository = open_repository(process_settings())
    verify_primary(repository)
    base_url = repository.settings.base_url
    if not base_url:
        reason = LocalizedText("证明上的二维码须有网址，请设置", "the QR code needs the site's address; set it")
        raise SettingInvalid(name="base_url", reason=reason)
    issue = None if issue is None else normalized_name(issue)
    if issue is not None and issue not in _issuing_accounts(repository):
        raise RequestInvalid(part="--issue", reason=_NO_ACCOUNT)
    facts = read_facts(repository, identifier)
    form = certificate_form(facts, verifier_key(repository), lambda path: f"{base_url}{path}")
    content = certificate_pdf(form, repository.settings.provider, _picture(repository, facts))
    path = output or Path(f"certificate-{facts.subject.name}.pdf")
    write_output(path, content)
    terminal.write(LocalizedText(f"证明已写入 {path}", f"Certificate written to {path}"))
    digest = hashlib.sha256(content).hexdigest()
    if issue is not None:
        _issue(repository, facts, digest, issue)
        terminal.write(LocalizedText("签发已记入日志", "Its issue is recorded for the log"))
    terminal.result({"file": str(path), "sha256": digest, "issued": issue is not None})


def _issuing_accounts(repository: Repository) -> set[str]:
    """Return the names of the accounts that may issue certificates: those of staff that are not disabled."""
    return {each.name for each in repository.accounts.all() if each.is_staff and each.disabled is None}


def _issue(repository: Repository, facts: CertificateFacts, digest: str, account: str) -> None:
    """Record the issue, and log it if this machine signs the log; otherwise a worker with the key does."""
    image = facts.placed.image.identifier if facts.placed else None
    event = certificate_event(occasion(repository), facts.work.identifier, sha256=digest, image=image, account=account)
    stage(repository, [event])
    if can_sign(repository):
        heed_log(repository)
        record_events(repository)


def _picture(repository: Repository, facts: CertificateFacts) -> bytes | None:
    """Return the picture as the site sends it; None where it sends none."""
    path = picture_path(repository, facts)
    if path is None:
        return None
    service = ImageService(repository)
    try:
        made = asyncio.run(service.respond(ImageCall(path, "")))
    finally:
        service.close()
    return bytes(made.body) if isinstance(made.body, bytes | bytearray) and made.status == 200 else None
