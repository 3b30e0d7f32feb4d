"""The commands ``shanben log``: audit the provenance log, write evidence files, and verify them offline."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from preservation.log import evidence, sequencer
from preservation.log.archive import write_archive
from preservation.log.evidence import VerifiedEvidence
from preservation.log.notes import Note, parse_note, parse_verifier_key
from preservation.log.policy import LONGEST_POLICY, parse_policy, verify_by_policy
from preservation.log.subject import Subject, evidence_of, parse_subject
from preservation.log.timestamp import Timestamp, read_roots, timestamp_response, verify_timestamp
from preservation.log.timestamped import timestamp_log, verify_timestamps
from preservation.log.witnesses import verify_cosigned, witness_policy
from preservation.premis import parse_event
from preservation.store_identity import verify_primary
from repository.clock import utc_time
from repository.config import Settings, process_settings
from repository.errors import DependencyMissing, EvidenceInvalid, RequestInvalid
from repository.local_files import read_start
from repository.localized import LocalizedText, counted
from repository.model.work_json import to_json_types
from repository.repository import Repository, open_repository
from web.cli.output_file import write_output, writing_output
from web.cli.terminal import EXIT_CONTENT, Terminal, command
from workers.tasks.jobs import replicate_log_job


class QuorumMissing(EvidenceInvalid):
    """An evidence file whose checkpoint fewer witnesses cosigned than the call requires."""

    code = "integrity.quorum"
    text = LocalizedText(
        "检查点只有 {count} 个见证方的有效联署，所需为 {quorum} 个；请向藏馆索取较新的证据文件",
        "{count} of the witnesses given cosigned the checkpoint, and {quorum} are required; request a newer evidence"
        " file",
    )


@click.group()
def log() -> None:
    """溯源日志：审计、取证、核验。 The provenance log: audit it, write evidence files, verify them."""


@log.command()
@command
def verify(terminal: Terminal) -> int:
    """审计全部日志。 Audit the whole log: entries, tiles, root and signature."""
    repository = open_repository(process_settings())
    verify_primary(repository)
    opened = sequencer.open_log(repository)
    audit = opened.verify()
    attested = verify_cosigned(repository.store, opened.key, witness_policy(repository.settings))
    stamped = verify_timestamps(repository.store, opened.key, repository.settings)
    problems = (*audit.problems, *attested.problems, *stamped.problems)
    for problem in problems:
        terminal.write(LocalizedText(f"✗ {problem.zh}", f"✗ {problem.en}"))
    if not problems:
        zh = f"日志完好：{audit.size} 条，根 {audit.root}"
        terminal.write(
            LocalizedText(zh, f"The log is intact: {counted(audit.size, 'entry', 'entries')}, root {audit.root}")
        )
    show_cosigners(terminal, attested.size, attested.cosigners)
    for each in stamped.valid[-1:]:
        show_timestamp(terminal, each.size, each.timestamp)
    timestamps = [{"size": each.size, **timestamp_json(each.timestamp)} for each in stamped.valid]
    cosigned = {"size": attested.size, "witnesses": witnesses_json(attested.cosigners)}
    document = {"ok": not problems, "size": audit.size, "root": audit.root}
    terminal.result(document | {"cosigned": cosigned, "timestamps": timestamps})
    return EXIT_CONTENT if problems else 0


@log.command()
@click.argument("identifier")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="证据文件。 The evidence file.")
@click.option("--version", type=click.IntRange(1), help="著作的版本。 A version of a work.")
@click.option(
    "--archive", is_flag=True, help="各事件的证据及核验所需，成一 ZIP。 All evidence and what checks it, a ZIP."
)
@click.option("--ml-dsa", type=click.Path(path_type=Path, dir_okay=False), help="ML-DSA 签名。 The ML-DSA signature.")
@command
def prove(
    terminal: Terminal,
    identifier: str,
    output: Path | None,
    *,
    version: int | None,
    archive: bool,
    ml_dsa: Path | None,
) -> None:
    """取证。 Write evidence for an image, a work or a version of a work, which anyone can verify offline."""
    repository = open_repository(process_settings())
    verify_primary(repository)
    subject = parse_subject(identifier, version)
    if archive:
        path = output or Path(f"evidence-{subject.name}.zip")
        write_evidence_archive(terminal, repository, subject, path)
        return
    content = evidence_of(repository, subject)
    if ml_dsa is not None:
        write_output(ml_dsa, sequencer.open_log(repository).ml_dsa_note(evidence.parse(content).index))
    if output is None:
        terminal.result({"evidence": content.decode()})
        if not terminal.as_json:
            terminal.write_document(content.decode())
        return
    write_output(output, content)
    terminal.write(LocalizedText(f"证据已写入 {output}", f"Evidence written to {output}"))
    terminal.result({"file": str(output)})


@log.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--policy", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="信任策略。 The policy.")
@click.option("--key", help="验证公钥（缺省用本机的）。 The verifier key; this machine's own by default.")
@click.option("--witness", "witnesses", multiple=True, metavar="KEY", help="见证方公钥。 The key of a witness.")
@click.option("--quorum", type=click.IntRange(0), help="至少须有的见证数。 The number of cosignatures required.")
@click.option("--roots", default="", metavar="FILE", help="时间戳机构的根证书。 Root certificates of authorities.")
@click.option("--extract", type=click.Path(path_type=Path, file_okay=False), help="取出时间戳。 Extract the timestamp.")
@command
def check(
    terminal: Terminal,
    file: Path,
    *,
    policy: Path | None,
    key: str | None,
    witnesses: tuple[str, ...],
    quorum: int | None,
    roots: str,
    extract: Path | None,
) -> None:
    """离线核验证据文件。 Verify an evidence file offline."""
    settings = process_settings()
    content = read_start(file, evidence.LONGEST_EVIDENCE)
    if policy is None:
        verified = verify_by_keys(content, settings, key, witnesses, quorum)
    elif key is not None or witnesses or quorum is not None:
        reason = LocalizedText(
            "信任策略已定公钥与见证数；请勿并用 --key、--witness、--quorum",
            "the policy has the keys and the quorum; leave out --key, --witness and --quorum",
        )
        raise RequestInvalid(part="--policy", reason=reason)
    else:
        verified = verify_by_policy(content, parse_policy(read_start(policy, LONGEST_POLICY)))
    note = parse_note(evidence.parse(content).checkpoint)
    stamp = verify_timestamp(note, read_roots(roots or settings.tsa_certificates))
    event = parse_event(verified.entry)
    what = LocalizedText("本馆", "the repository")
    if subject := event.image or event.work:
        what = LocalizedText(subject, subject)
    digest = f", sha256 {event.sha256}" if event.sha256 else ""
    position = f"第 {verified.index} 条，共 {verified.size} 条"
    kind = event.type if event.outcome == "success" else f"{event.type} ({event.outcome})"
    zh = f"核验通过：{event.time} {kind}，{what.zh}{digest.replace(', ', '，')}（日志{position}）"
    en = f"Verified: {kind} of {what.en} at {event.time}{digest} (log entry {verified.index} of {verified.size})"
    terminal.write(LocalizedText(zh, en))
    show_cosigners(terminal, verified.size, verified.cosigners)
    if stamp:
        show_timestamp(terminal, verified.size, stamp)
        extract_timestamp(terminal, note, extract)
    document = {"ok": True, "index": verified.index, "size": verified.size, "event": to_json_types(event)}
    document["timestamp"] = timestamp_json(stamp) if stamp else None
    terminal.result(document | {"witnesses": witnesses_json(verified.cosigners)})


def verify_by_keys(
    content: bytes, settings: Settings, key: str | None, witnesses: Sequence[str], quorum: int | None
) -> VerifiedEvidence:
    """Verify an evidence file by the keys given, or else by those of this machine and its settings.

    Raises `EvidenceInvalid`, `RequestInvalid`, `SettingInvalid`, and what opening the repository raises.
    """
    verifier_key = sequencer.log_keys(open_repository(settings)).text() if key is None else key
    configured = [witness.key for witness in witness_policy(settings).witnesses]
    keys = [parse_verifier_key(line) for line in witnesses] or configured
    verified = evidence.verify(content, verifier_key, keys)
    if quorum is not None and len(verified.cosigners) < quorum:
        raise QuorumMissing(count=len(verified.cosigners), quorum=quorum)
    return verified


@log.command()
@command
def timestamp(terminal: Terminal) -> None:
    """为日志加盖时间戳（RFC 3161）。 Have the log's newest checkpoint timestamped."""
    repository = open_repository(process_settings())
    verify_primary(repository)
    if not repository.settings.tsa:
        remedy = LocalizedText("请设为时间戳机构的网址", "set it to the address of a timestamping authority")
        raise DependencyMissing(what="SHANBEN_TSA", remedy=remedy)
    made = timestamp_log(sequencer.open_log(repository), repository.store, repository.settings)
    for store in repository.replicas:
        repository.jobs.enqueue(replicate_log_job(store))
    show_timestamp(terminal, made.size, made.timestamp)
    terminal.result({"size": made.size, **timestamp_json(made.timestamp)})


@log.command()
@command
def key(terminal: Terminal) -> None:
    """日志的验证公钥。 Print the log's public key as a C2SP verifier key line."""
    line = sequencer.verifier_key(open_repository(process_settings()))
    if not terminal.as_json:
        terminal.write_line(line)
    terminal.result({"key": line})


def write_evidence_archive(terminal: Terminal, repository: Repository, subject: Subject, path: Path) -> None:
    """Write the archive of all evidence of a subject; leave no file when there is none."""
    with writing_output(path), tempfile.TemporaryFile(dir=path.parent) as file:
        count = write_archive(repository, subject, file)
        file.seek(0)
        with path.open("wb") as written:
            shutil.copyfileobj(file, written)
    terminal.write(LocalizedText(f"{count} 份证据已写入 {path}", f"{count} pieces of evidence written to {path}"))
    terminal.result({"file": str(path), "entries": count})


def show_cosigners(terminal: Terminal, size: int, cosigners: Mapping[str, int]) -> None:
    """Write who cosigned the checkpoint of this size, and when."""
    for name, seconds in cosigners.items():
        time = utc_time(seconds)
        zh = f"见证：{name} 于 {time} 联署（{size} 条）"
        terminal.write(LocalizedText(zh, f"Cosigned by {name} at {time} ({counted(size, 'entry', 'entries')})"))


def witnesses_json(cosigners: Mapping[str, int]) -> list[dict[str, str]]:
    """Return the witnesses that cosigned, for programs."""
    return [{"name": name, "time": utc_time(seconds)} for name, seconds in cosigners.items()]


def show_timestamp(terminal: Terminal, size: int, stamp: Timestamp) -> None:
    """Write which authority timestamped the checkpoint of this size, and when."""
    zh, en = (
        ("证书已核验", "its certificates are valid")
        if stamp.trusted
        else ("证书未核验", "its certificates were not checked")
    )
    zh = f"时间戳：{stamp.authority} 于 {stamp.time}（{size} 条；{zh}）"
    terminal.write(
        LocalizedText(
            zh, f"Timestamped by {stamp.authority} at {stamp.time} ({counted(size, 'entry', 'entries')}; {en})"
        )
    )


def extract_timestamp(terminal: Terminal, note: Note, folder: Path | None) -> None:
    """Write the files that ``openssl ts -verify`` reads: the checkpoint's text and the authority's response."""
    response = timestamp_response(note)
    if folder is None or response is None:
        return
    with writing_output(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint.txt").write_text(note.text, "utf-8")
        (folder / "timestamp.tsr").write_bytes(response)
    terminal.write(LocalizedText(f"时间戳已写入 {folder}", f"The timestamp was written to {folder}"))


def timestamp_json(stamp: Timestamp) -> dict[str, object]:
    """Return a timestamp, for programs."""
    return {"authority": stamp.authority, "time": stamp.time, "trusted": stamp.trusted}
