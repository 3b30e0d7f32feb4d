"""Certificates and ``/verify``: what they state, to whom, and that it is what is recorded."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pyvips
from asgi_client import AsgiClient
from flask.testing import FlaskClient
from timestamp_authority import TimestampAuthority

from iiif_server.image.service import ImageService
from preservation.log.sequencer import open_log, record_events
from preservation.log.signing_key import Cosigner
from preservation.log.timestamped import timestamp_log
from preservation.log_events import certificate_event, finding_event, loss_event, repair_event, report_event
from preservation.premis import accession_event, ingestion_event
from repository import paths
from repository.database.fixity import FixityRecords
from repository.database.fixity_values import WorkVerification
from repository.database.publication import Publication
from repository.model.work import Access, Image, Rights, Work
from repository.repository import Repository
from web import typesetting
from web.app import create_app
from web.asgi import compose
from web.telemetry.process_metrics import ProcessMetrics
from workers.bootstrap import prepare_repository
from workers.tasks.log_events import occasion, stage

pytestmark = pytest.mark.slow

BOX = r'<{} top="(\d+)" left="(\d+)" width="(\d+)" height="(\d+)"'
TIME = "2026-01-02T03:04:05Z"
SM3 = sha256(b"sm3").hexdigest()
CAPTURED = f"sha256:{sha256(b'scan').hexdigest()} md5:{'ab' * 16}"
Logged = Callable[..., Work]


@pytest.fixture
def logged(repository: Repository, publisher: Any) -> Logged:
    """Publishes the book with its events, and records them in the log."""

    def publish(work: Work | None = None, **changes: Any) -> Work:
        prepare_repository(repository)
        work = work or replace(publisher.book(**changes))
        recorded = {"time": TIME, "software": "t", "sm3": SM3, "captured": CAPTURED}
        events = [
            ingestion_event(work.identifier, image.identifier, image.master, **recorded) for image in work.images()
        ]
        events.append(accession_event(work.identifier, 1, sha256(b"r").hexdigest(), time=TIME, software="t"))
        pyramids = repository.catalogue.pyramids(work.identifier)
        repository.catalogue.publish(Publication(work, pyramids, events, 1, TIME, {}), [], TIME)
        record_events(repository)
        return work

    return publish


def first_image(work: Work) -> Image:
    return next(work.images())


def text_of(pdf: bytes, tmp_path: Path) -> str:
    (tmp_path / "made.pdf").write_bytes(pdf)
    made = subprocess.run(["pdftotext", "-layout", tmp_path / "made.pdf", "-"], capture_output=True, check=True)
    return made.stdout.decode()


def pages_of(pdf: bytes, tmp_path: Path) -> int:
    (tmp_path / "made.pdf").write_bytes(pdf)
    made = subprocess.run(["pdfinfo", tmp_path / "made.pdf"], capture_output=True, check=True)
    return int(re.findall(r"Pages:\s+(\d+)", made.stdout.decode())[0])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_certificate_of_an_image_states_what_is_recorded_in_both_languages(
    client: FlaskClient, repository: Repository, logged: Logged, language: str
) -> None:
    work = logged()
    image = first_image(work)
    page = client.get(f"/certificate/{image.identifier}.html", headers={"Accept-Language": language})
    assert page.status_code == 200
    log = open_log(repository)
    for stated in (
        "数字资源权属与完整性证明",
        "Certificate of Provenance and Integrity",
        "千字文 &lt;試&gt;",
        "葉一",
        image.identifier,
        image.master.sha256,
        SM3,
        *CAPTURED.split(),
        TIME,
        log.root,
        "尚无见证方联署",
        "Public Domain Mark",
        "最新版本尚未全部核验",
        log.key.line().split("+")[1],
    ):
        assert stated in page.text.replace("&#43;", "+"), stated


def test_certificate_says_verified_only_of_recorded_checks(
    client: FlaskClient, repository: Repository, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/certificate/{logged().identifier}.html"
    assert "逐一核验完好" not in client.get(address).text
    checked = WorkVerification("", 1, 5, 100, 0, 0, "2026-03-01T00:00:00Z", 0)
    for recorded, stated in [
        (checked, "1 处存储中的 1 处逐一核验完好（不早于 2026-03-01）"),
        (replace(checked, version=0), "最新版本尚未全部核验"),
        (replace(checked, not_checked=1), "最新版本尚未全部核验"),
        (replace(checked, failed=1, findings=1), "有损坏，待处理 1 处"),
    ]:
        monkeypatch.setattr(FixityRecords, "verifications", lambda _self, _work, found=recorded: [found])
        assert stated in client.get(address).text


def test_certificate_of_a_work_states_the_digest_of_its_record(client: FlaskClient, logged: Logged) -> None:
    work = logged()
    page = client.get(f"/certificate/{work.identifier}.html").text
    assert sha256(b"r").hexdigest() in page
    assert "metadata/work.json" in page
    assert "3 幅，原图共 3,000 字节" in page


def test_pdf_is_one_page_with_the_same_bytes_each_time(client: FlaskClient, logged: Logged, tmp_path: Path) -> None:
    work = logged()
    for identifier in (work.identifier, first_image(work).identifier):
        first, second = (client.get(f"/certificate/{identifier}.pdf") for _ in range(2))
        assert (first.status_code, first.mimetype) == (200, "application/pdf")
        assert first.data == second.data
        assert pages_of(first.data, tmp_path) == 1
        text = text_of(first.data, tmp_path)
        assert "数字资源权属与完整性证明" in text
        assert identifier in text
        known = client.get(f"/certificate/{identifier}.pdf", headers={"If-None-Match": first.headers["ETag"]})
        assert (known.status_code, known.data) == (304, b"")
    assert first_image(work).master.sha256 in text


def test_pdf_of_a_long_record_with_witnesses_and_a_timestamp_is_still_one_page(
    repository: Repository, publisher: Any, logged: Logged, tmp_path: Path
) -> None:
    book = publisher.book()
    record = replace(
        book.record, title="欽定四庫全書簡明目錄附錄" * 12, creator=tuple(f"某氏{n} 撰" for n in range(12))
    )
    work = logged(replace(book, record=record))
    witnesses = [Cosigner(f"w{number}.library.example/witness", bytes([number]) * 32) for number in range(8)]
    note = open_log(repository).checkpoint_note()
    text = note.partition(b"\n\n")[0].decode() + "\n"
    repository.store.put(
        paths.LOG_COSIGNED, note + b"".join(w.cosign(text, 1_800_000_000).line().encode() for w in witnesses)
    )
    authority = TimestampAuthority(tmp_path / "authority")
    settings = replace(
        repository.settings,
        witnesses=tuple(f"https://w{number}.example {w.key.line()}" for number, w in enumerate(witnesses)),
        tsa_certificates=str(authority.roots),
    )
    with authority.served() as url:
        timestamp_log(open_log(repository), repository.store, replace(settings, tsa=url))
    held = create_app(replace(repository, settings=settings)).test_client()
    made = held.get(f"/certificate/{first_image(work).identifier}.pdf").data
    assert pages_of(made, tmp_path) == 1
    written = text_of(made, tmp_path)
    assert all(witness.key.name in written for witness in witnesses)
    assert "证书已核验" in written


@pytest.mark.parametrize(("access", "pictures"), [(Access.OPEN, 1), (Access.RESTRICTED, 0)])
def test_pdf_holds_the_picture_and_the_label_only_where_access_shows_them(
    repository: Repository, logged: Logged, tmp_path: Path, access: Access, pictures: int
) -> None:
    asked: list[str] = []

    def picture(path: str) -> bytes:
        asked.append(path)
        return bytes(pyvips.Image.black(30, 40).jpegsave_buffer())

    shown = create_app(repository, pictures=picture).test_client()
    image = first_image(logged(rights=Rights(access=access))).identifier
    (tmp_path / "made.pdf").write_bytes(shown.get(f"/certificate/{image}.pdf").data)
    listed = subprocess.run(["pdfimages", "-list", tmp_path / "made.pdf"], capture_output=True, check=True)
    assert len(listed.stdout.splitlines()) == 2 + pictures
    assert len(asked) == pictures
    assert all(image in path for path in asked)
    page = shown.get(f"/certificate/{image}.html").text
    assert ("葉一" in page, "/iiif/image/" in page, "限制访问" in page) == (pictures, pictures, not pictures)


def test_digest_on_a_certificate_with_a_picture_is_not_covered_by_it(
    repository: Repository, logged: Logged, tmp_path: Path
) -> None:
    work = logged()
    picture = bytes(pyvips.Image.black(300, 400).jpegsave_buffer())
    client = create_app(repository, pictures=lambda _: picture).test_client()
    for identifier, digest in [
        (work.identifier, sha256(b"r").hexdigest()),
        (first_image(work).identifier, first_image(work).master.sha256),
    ]:
        (tmp_path / "made.pdf").write_bytes(client.get(f"/certificate/{identifier}.pdf").data)
        command = ["pdftohtml", "-xml", "-zoom", "1", "-stdout", "made.pdf"]
        made = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout.decode()
        top, left, width, height = map(int, re.findall(BOX.format("image"), made)[0])
        line = next(
            found for found in re.finditer(BOX.format("text") + "[^<]*>(.*?)</text>", made) if digest in found[5]
        )
        above, start, across, along = map(int, line.groups()[:4])
        assert above >= top + height or start + across <= left
        assert start + across <= 595 - 51  # points: A4 without the margin of 18 mm
        assert above + along < 842


def test_pdf_without_a_font_for_chinese_is_unavailable_and_the_page_is_not(
    client: FlaskClient, logged: Logged, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(typesetting, "CHINESE_FONTS", ("A Font That No Machine Has",))
    address = f"/certificate/{logged().identifier}"
    refused = client.get(f"{address}.pdf")
    assert refused.status_code == 503
    assert refused.content_type != "application/pdf"
    assert "本站暂不能生成 PDF 格式的证明" in refused.text
    assert f"{address}.html" in refused.text
    assert "fonts-noto-cjk" in caplog.text
    assert client.get(f"{address}.html").status_code == 200


def test_picture_on_a_certificate_comes_from_the_image_service(
    repository: Repository, logged: Logged, tmp_path: Path
) -> None:
    image = first_image(logged())
    service = ImageService(repository)
    with AsgiClient(compose(repository, service, ProcessMetrics())) as visitor:
        (tmp_path / "made.pdf").write_bytes(visitor.get(f"/certificate/{image.identifier}.pdf").body)
    service.close()
    listed = subprocess.run(["pdfimages", "-list", tmp_path / "made.pdf"], capture_output=True, check=True)
    width, height = listed.stdout.splitlines()[2].split()[3:5]
    assert (int(width), int(height)) == (332, 480)


def test_certificate_of_what_is_not_logged_held_or_public_is_refused(
    client: FlaskClient, publisher: Any, repository: Repository
) -> None:
    work = publisher.book()
    prepare_repository(repository)
    for form in ("html", "pdf"):
        for identifier in (work.identifier, first_image(work).identifier, "w0", "i0000000000000000x"):
            assert client.get(f"/certificate/{identifier}.{form}").status_code == 404


# /verify


def test_verify_finds_a_master_by_its_digest(client: FlaskClient, logged: Logged) -> None:
    work = logged()
    image = first_image(work)
    digest = image.master.sha256
    for query in (digest, digest.upper(), " ".join(digest[start : start + 8] for start in range(0, 64, 8))):
        page = client.get("/verify", query_string={"q": query})
        assert page.status_code == 200
        assert "本馆收有此文件" in page.text
        assert f"/certificate/{image.identifier}.html" in page.text
        assert f"/log/evidence/{image.identifier}.zip" in page.text
        assert "第 1 面" in page.text


def test_verify_finds_a_master_by_its_sm3_digest(client: FlaskClient, logged: Logged) -> None:
    image = first_image(logged())
    page = client.get("/verify", query_string={"q": SM3.upper()})
    assert "本馆收有此文件" in page.text
    assert f"/certificate/{image.identifier}.html" in page.text


def test_verify_finds_an_issued_certificate_and_report_by_the_digest_of_the_file(
    client: FlaskClient, repository: Repository, logged: Logged
) -> None:
    work = logged()
    certificate, report = (sha256(content).hexdigest() for content in (b"certificate", b"report"))
    assert "没有这一摘要的记录" in client.get("/verify", query_string={"q": certificate}).text
    when = occasion(repository)
    stage(
        repository,
        [certificate_event(when, work.identifier, sha256=certificate), report_event(when, sha256=report, at=TIME)],
    )
    record_events(repository)
    issued = client.get("/verify", query_string={"q": certificate}).text
    assert "这是本馆签发的证明" in issued
    assert "本馆收有此文件" not in issued
    assert work.record.title.replace("<", "&lt;").replace(">", "&gt;") in issued
    assert "这是本馆出具的保存报告" in client.get("/verify", query_string={"q": report}).text


def test_verify_finds_identifiers_and_the_digest_of_a_record(client: FlaskClient, logged: Logged) -> None:
    work = logged()
    for query in (work.identifier, first_image(work).identifier, sha256(b"r").hexdigest()):
        page = client.get("/verify", query_string={"q": query})
        assert f"/works/{work.identifier}" in page.text
    assert "本馆收有此编号" in client.get(f"/verify?q={work.identifier}").text


def test_verify_says_unknown_and_offers_the_search_by_picture(client: FlaskClient, logged: Logged) -> None:
    logged()
    page = client.get(f"/verify?q={'0' * 64}")
    assert page.status_code == 200
    assert "本馆没有这一摘要的记录" in page.text
    assert "/verify/similar" in page.text


@pytest.mark.parametrize("query", ["abc", "0" * 63, "g" * 64, "w" * 18, "<script>"])
def test_verify_refuses_what_is_no_digest(client: FlaskClient, logged: Logged, query: str) -> None:
    logged()
    page = client.get("/verify", query_string={"q": query})
    assert page.status_code == 400
    assert "<script>" not in page.text.replace('<script type="module"', "")


def test_verify_shows_what_was_held_and_is_not_in_the_catalogue_now(
    client: FlaskClient, repository: Repository, logged: Logged, publisher: Any
) -> None:
    work = logged()
    gone = first_image(work)
    volumes = (replace(work.volumes[0], pages=work.volumes[0].pages[1:]), *work.volumes[1:])
    pyramids = repository.catalogue.pyramids(work.identifier)
    smaller = replace(work, volumes=volumes, ranges=())
    events = [event for event, _ in repository.log_sequence.positions_of(work.identifier)]
    repository.catalogue.publish(Publication(smaller, pyramids, events, 2, TIME, {}), [], TIME)
    page = client.get(f"/verify?q={gone.master.sha256}").text
    assert "馆藏目录中现已没有" in page
    assert f"/certificate/{gone.identifier}.html" not in page
    assert f"/log/evidence/{gone.identifier}.zip" in page


def test_evidence_is_checked_by_the_server(client: FlaskClient, logged: Logged) -> None:
    work = logged()
    proof = client.get(f"/log/proof/{first_image(work).identifier}").data
    token = re.findall(r'name="csrf_token" value="([^"]+)"', client.get("/verify").text)[0]

    def send(content: bytes, **fields: str) -> Any:
        data = {"evidence": (io.BytesIO(content), "a.tlog-proof"), **fields}
        return client.post("/verify/evidence", data=data, content_type="multipart/form-data")

    good = send(proof, csrf_token=token)
    assert "证据核验通过" in good.text
    assert first_image(work).master.sha256 in good.text
    for content in (proof.replace(b"\nindex ", b"\nindex 1"), b"", b"x" * 60_000):
        bad = send(content, csrf_token=token)
        assert bad.status_code == 200
        assert "证据未通过核验" in bad.text
    assert send(proof).status_code == 400
    assert send(b"x" * 70_000, csrf_token=token).status_code == 413


def test_work_and_reader_link_to_certificate_and_evidence(client: FlaskClient, logged: Logged, publisher: Any) -> None:
    work = logged()
    page, reader = (client.get(f"/works/{work.identifier}{rest}").text for rest in ("", "/read?page=2"))
    for address in (f"/certificate/{work.identifier}.html", f"/log/evidence/{work.identifier}.zip"):
        assert address in page
    second = list(work.pages())[1].images[0].identifier
    assert f"/certificate/{second}.html" in reader
    other = publisher.small_work("未入日志")
    assert "/certificate/" not in client.get(f"/works/{other.identifier}").text


def test_verify_lists_a_loss_that_was_accepted(client: FlaskClient, repository: Repository, logged: Logged) -> None:
    work = logged()
    stage(repository, [loss_event(occasion(repository), work.identifier, logged=2, stored=1, reason="fire")])
    record_events(repository)
    page = client.get(f"/verify?q={work.identifier}", headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert "deaccession" in page.text


def test_verify_says_that_a_fixity_check_found_damage(
    client: FlaskClient, repository: Repository, logged: Logged
) -> None:
    work = logged()
    damage = {"kind": "changed", "expected": first_image(work).master.sha256, "found": "0" * 64, "first_seen": TIME}
    stage(repository, [finding_event(occasion(repository), "", "ocfl/0001.tif", work.identifier, **damage)])
    record_events(repository)
    page = client.get(f"/verify?q={work.identifier}", headers={"Accept-Language": "en"})
    assert "fixity check · failure" in page.text
    assert "ingestion · failure" not in page.text
    assert "完整性校验 · 失败" in client.get(f"/verify?q={work.identifier}", headers={"Accept-Language": "zh"}).text


def test_verify_lists_the_repair_of_a_master_with_the_damage_of_its_work(
    client: FlaskClient, repository: Repository, logged: Logged
) -> None:
    work = logged()
    image = first_image(work)
    repaired = {"sha256": image.master.sha256, "source": "r", "first_seen": TIME, "image": image.identifier}
    stage(repository, [repair_event(occasion(repository), "", "ocfl/0001.tif", work.identifier, **repaired)])
    record_events(repository)
    page = client.get(f"/verify?q={work.identifier}", headers={"Accept-Language": "en"}).text
    assert (page.count("<td>recovery"), page.count("<td>ingestion")) == (1, 0)
