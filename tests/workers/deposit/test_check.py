"""Deposits checked by a fake examiner: the work that a deposit makes, and every fault of files, pages and record."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from silent_progress import SilentProgress

from repository.errors import MasterUnreadable, StagingFault
from repository.faults import Fault
from repository.identifiers import Kind, mint
from repository.localized import LocalizedText
from repository.model.work import Range, Rectangle
from workers.deposit.assemble import AssembledDeposit
from workers.deposit.check import check
from workers.deposit.checksums import ReadChecksums, read_checksums
from workers.deposit.record import ReadRecord, read_record
from workers.masters.examine import Examined
from workers.text.read import ReadText, read_text

PNG = b"\x89PNG\r\n\x1a\n"


class FakeExaminer:
    """An examiner that decodes nothing: the content decides the pixels, the size and the fault of a file."""

    def __init__(self) -> None:
        self.concurrency = 3
        self.calls: list[str] = []

    def read_record(self, content: bytes) -> ReadRecord:
        return read_record(content)

    def read_checksums(self, content: bytes, manifest: str) -> ReadChecksums:
        return read_checksums(content, manifest)

    def read_text(self, content: bytes, name: str) -> ReadText:
        return read_text(content, name)

    def __call__(self, path: Path, pyramid: Path | None, algorithms: frozenset[str] = frozenset()) -> Examined:
        self.calls.append(path.name)
        content = path.read_bytes()
        if b"broken" in content:
            raise MasterUnreadable(reason="broken")
        if b"full" in content:
            raise StagingFault(reason="full")
        width, height = (300, 200) if b"wide" in content else (200, 300)
        sha256, ignored = content.hex()[-64:].zfill(64), ("extra-samples",) if b"infrared" in content else ()
        return Examined(sha256, len(content), "image/png", width, height, content.hex(), None, ignored)

    def is_blank(self, path: Path) -> bool:
        return b"blank" in path.read_bytes()


class RecordingProgress:
    def __init__(self) -> None:
        self.calls: list[object] = []

    def start(self, label: LocalizedText, total: int) -> None:
        self.calls.append(total)

    def advance(self, amount: int) -> None:
        self.calls.append(amount)

    def finish(self) -> None:
        self.calls.append("end")


def write_deposit(folder: Path, *names: str, record: str = 'title = "試"', content: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "work.toml").write_text(record, "utf-8")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(PNG + name.encode() + content.encode())
    return folder


def checked(folder: Path) -> AssembledDeposit:
    return check(folder, FakeExaminer(), SilentProgress())


def codes(faults: tuple[Fault, ...]) -> list[tuple[str, str, str]]:
    return [(fault.file, fault.place, fault.code) for fault in faults]


def test_folder_of_images_is_a_work_of_one_volume(tmp_path: Path) -> None:
    result = checked(write_deposit(tmp_path / "book", *(f"{number:04}.png" for number in range(10, 0, -1))))
    assert result.faults == ()
    assert result.work is not None
    (volume,) = result.work.volumes
    assert volume.label == ""
    assert [page.key for page in volume.pages] == [f"{number:04}" for number in range(1, 11)]
    assert volume.pages[9].label == "10"
    assert result.work.behavior == "paged"
    assert list(result.files)[:2] == ["masters/0001.png", "masters/0002.png"]
    assert result.files["deposit/work.toml"] == tmp_path / "book/work.toml"


def test_folders_are_volumes_in_natural_order(tmp_path: Path) -> None:
    names = [f"volume-{volume}/{page:04}.png" for volume in (10, 2, 1) for page in (1, 2)]
    record = 'title = "試"\n[[range]]\nlabel = "卷一"\npages = "volume-1/0002-volume-2/0001"'
    work = checked(write_deposit(tmp_path / "book", *names, record=record)).work
    assert work is not None
    assert [volume.label for volume in work.volumes] == ["第一册", "第二册", "第十册"]
    assert work.volumes[0].pages[0].key == "volume-1/0001"
    assert work.volumes[0].pages[0].images[0].master.path == "masters/volume-1/0001.png"
    assert work.ranges == (Range("卷一", ("volume-1/0002", "volume-2/0001")),)


def test_work_identifier_is_minted_from_the_record_or_from_the_masters(tmp_path: Path) -> None:
    own = checked(write_deposit(tmp_path / "a", "0001.png", record='title = "試"\nidentifier = "863-214"')).work
    assert own is not None
    assert own.identifier == mint(Kind.WORK, "identifier", "863-214")
    first, again = (checked(write_deposit(tmp_path / name, "0001.png")).work for name in "bc")
    other = checked(write_deposit(tmp_path / "d", "0002.png")).work
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.identifier == again.identifier != other.identifier
    assert next(first.images()).identifier == mint(Kind.IMAGE, first.identifier, next(first.images()).master.sha256)


def test_work_of_wide_images_has_behavior_individuals(tmp_path: Path) -> None:
    work = checked(write_deposit(tmp_path / "book", "0001.png", "0002.png", content="wide")).work
    assert work is not None
    assert work.behavior == "individuals"


def test_page_tables_set_label_behavior_leaf_and_missing_pages(tmp_path: Path) -> None:
    record = """
    title = "試"
    behavior = "paged"
    [[page]]
    file = "0001.png"
    label = "封面"
    behavior = "non-paged"
    [[page]]
    file = "0002"
    missing = true
    leaf = "一葉上"
    """
    work = checked(write_deposit(tmp_path / "book", "0001.png", "0003.png", record=record)).work
    assert work is not None
    cover, missing, last = work.pages()
    assert (cover.label, cover.behavior) == ("封面", "non-paged")
    assert (missing.key, missing.label, missing.images, missing.leaf) == ("0002", "2", (), "一葉上")
    assert (last.label, last.behavior) == ("3", None)


@pytest.mark.parametrize(
    "folders",
    [
        "卷首 卷一 卷二 卷十 卷末",
        "上冊 中冊 下冊",
        "元集 亨集 利集 貞集",
        "第一冊 第二冊 第十冊 第十一冊",
        "前編 後編 附錄 補遺",
        "册１ 册２ 册１０",
    ],
)
def test_volumes_are_in_the_order_of_their_words_and_labelled_by_them(folders: str, tmp_path: Path) -> None:
    result = checked(write_deposit(tmp_path / "book", *(f"{folder}/0001.png" for folder in folders.split())))
    assert result.faults == ()
    assert result.work is not None
    assert [volume.label for volume in result.work.volumes] == folders.split()
    assert [volume.folder for volume in result.volumes] == folders.split()
    assert [page.key for page in result.work.pages()] == [f"{folder}/0001" for folder in folders.split()]


def test_pages_are_in_the_order_of_chinese_numerals(tmp_path: Path) -> None:
    result = checked(write_deposit(tmp_path / "book", *(f"{page}.png" for page in ("二", "十", "一", "三"))))
    assert result.work is not None
    assert [page.label for page in result.work.pages()] == ["一", "二", "三", "十"]


@pytest.mark.parametrize(
    ("pages", "skips"),
    [
        ("一 二 十", ["二 → 十"]),
        ("一 二 三", []),
        ("葉一上 葉一下 葉三上", ["葉一下 → 葉三上"]),
        ("0001a 0001b 0002a 0010a", ["0002a → 0010a"]),
        ("序 一 二", []),
    ],
)
def test_leaf_numbers_may_skip_and_are_noticed(pages: str, skips: list[str], tmp_path: Path) -> None:
    result = checked(write_deposit(tmp_path / "book", *(f"{page}.png" for page in pages.split())))
    assert result.faults == ()
    before = [notice.message.en.partition("before is ")[2].partition(";")[0] for notice in result.notices]
    assert [f"{first} → {notice.file}" for first, notice in zip(before, result.notices, strict=True)] == skips


def test_volume_tables_set_order_and_label(tmp_path: Path) -> None:
    tables = "".join(
        f'[[volume]]\nfolder = "{folder}"\norder = {order}\n{label}\n'
        for folder, order, label in (("孟子", 2, ""), ("論語", 1, 'label = "論語集解"'))
    )
    folder = write_deposit(tmp_path / "book", "孟子/1.png", "論語/1.png", record=f'title = "試"\n{tables}')
    work = checked(folder).work
    assert work is not None
    assert [volume.label for volume in work.volumes] == ["論語集解", "孟子"]


def test_order_of_a_table_is_a_number_among_those_of_the_names(tmp_path: Path) -> None:
    record = 'title = "試"\n[[volume]]\nfolder = "圖說"\norder = 2\n[[page]]\nfile = "卷三/書影"\norder = 0'
    names = ["卷一/1.png", "卷三/1.png", "卷三/書影.png", "圖說/1.png"]
    result = checked(write_deposit(tmp_path / "book", *names, record=record))
    assert result.work is not None
    assert [page.key for page in result.work.pages()] == ["卷一/1", "圖說/1", "卷三/書影", "卷三/1"]


@pytest.mark.parametrize(
    ("names", "record", "expected"),
    [
        (["論語/1.png", "孟子/1.png"], "", ("孟子", "", "volume.order")),
        (["卷一/1.png", "卷1/1.png"], "", ("卷1", "", "volume.order")),
        (["東/1.png", "西/1.png", "甲/1.png"], '[[volume]]\nfolder = "東"\norder = 1', ("甲", "", "volume.order")),
        (["卷一/1.png", "卷二/1.png"], '[[volume]]\nfolder = "卷一"\norder = 2', ("卷一", "", "volume.order")),
        (["卷一/1.png"], '[[volume]]\nfolder = "卷二"', ("work.toml", "volume[1].folder", "volume.folder")),
        (["1.png"], '[[volume]]\nfolder = "1"', ("work.toml", "volume[1].folder", "volume.folder")),
        (["v/書影.png", "v/地圖.png"], "", ("v/地圖", "", "page.order")),
        (["1.png", "書影.png"], '[[page]]\nfile = "書影"\norder = 1', ("1", "", "page.order")),
        (["一.png", "1.png"], "", ("一.png", "", "page.twice")),
        (["0001.png", "0001 .png"], "", ("0001.png", "", "page.twice")),
        (["0001.png"], '[[page]]\nfile = "1"\nmissing = true', ("work.toml", "page[1].file", "page.file")),
        (["0001.png"], '[[page]]\nfile = "0001"\norder = -1', ("work.toml", "page[1].order", "record.type")),
        (["卷一/1.png"], '[[volume]]\nfolder = "卷一"\norder = true', ("work.toml", "volume[1].order", "record.type")),
    ],
)
def test_order_that_is_not_known_is_a_fault(
    names: list[str], record: str, expected: tuple[str, str, str], tmp_path: Path
) -> None:
    faults = checked(write_deposit(tmp_path / "book", *names, record=f'title = "試"\n{record}')).faults
    assert expected in codes(faults)
    for fault in faults:
        if fault.code.endswith(".order"):
            table = f"[[{fault.code.removesuffix('.order')}]]"
            assert table in fault.message.zh
            assert table in fault.message.en
            assert fault.file in fault.message.zh


def test_space_before_the_suffix_is_no_part_of_the_page(tmp_path: Path) -> None:
    record = 'title = "試"\n[[page]]\nfile = "0002"\nlabel = "封面"'
    result = checked(write_deposit(tmp_path / "book", "0001 .png", "0002 .png", record=record))
    assert result.work is not None
    assert [(page.key, page.label) for page in result.work.pages()] == [("0001", "1"), ("0002", "封面")]
    assert set(result.files) == {"masters/0001 .png", "masters/0002 .png", "deposit/work.toml"}


LEFT_BEHIND = ["text/.DS_Store", "Thumbs.db", "desktop.ini", "._0001.png", "@eaDir/1.png", "v/.DS_Store", "v/@eaDir/1"]


def test_files_that_systems_leave_behind_are_ignored_and_listed(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "v/0001.png", "v/0002.png")
    for name in LEFT_BEHIND:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG)
    result = checked(folder)
    assert result.faults == ()
    assert set(result.ignored) == {
        name.partition("@eaDir")[0] + "@eaDir" if "@" in name else name for name in LEFT_BEHIND
    }
    assert set(result.files) == {"masters/v/0001.png", "masters/v/0002.png", "deposit/work.toml"}


def test_folder_of_ignored_files_alone_is_empty(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "v/.DS_Store", "w/0001.png")
    assert codes(checked(folder).faults) == [("v", "", "deposit.empty")]


def test_identical_pages_declared_or_seen_blank_are_one_image(tmp_path: Path) -> None:
    record = 'title = "試"\n[[page]]\nfile = "0003"\nblank = true\nredact = ["1,2,3,4"]'
    folder = write_deposit(tmp_path / "book", "0001.png", record=record)
    for name, content in (("0002", b"x"), ("0003", b"x"), ("0004", b"blank"), ("0005", b"blank"), ("0006", b"blank")):
        (folder / f"{name}.png").write_bytes(PNG + content)
    result = checked(folder)
    assert result.faults == ()
    assert result.work is not None
    images = [page.images[0] for page in result.work.pages()]
    assert images[1] is images[2]
    assert images[1].redactions == (Rectangle(1, 2, 3, 4),)
    assert len({image.identifier for image in images}) == len(list(result.work.images())) == 3
    assert len(result.files) == 7


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("目錄.xlsx", "work.toml"),
        ("list.CSV", "work.toml"),
        ("说明.docx", "work.toml"),
        ("book.zip", "解压"),
        ("P1.CR2", "TIFF"),
        ("第一函/第二冊/0001.png", "第一函第二冊"),
        ("x.unknown", "移出文件夹"),
    ],
)
def test_message_of_an_unexpected_file_says_what_to_do(name: str, words: str, tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")
    faults = [fault for fault in checked(folder).faults if fault.code == "file.unexpected"]
    assert [words in fault.message.zh for fault in faults] == [True]


def test_folder_of_deposits_names_each_of_them(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in ("a", "b"):
        write_deposit(shelf / name, "0001.png")
    faults = checked(shelf).faults
    assert codes(faults) == [("a", "", "deposit.nested"), ("b", "", "deposit.nested")]
    assert "shanben ingest" in faults[0].message.zh


def test_texts_are_files_of_the_work(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png")
    (folder / "text").mkdir()
    (folder / "text/0001.json").write_text("{}")
    result = checked(folder)
    assert result.files["text/0001.json"] == folder / "text/0001.json"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["0001.png", "0002.png", "0004.png"], [("", "0003", "page.gap")]),
        (["v1/1.png", "v1/3.png", "v2/1.png"], [("v1", "2", "page.gap")]),
        (["0001.png", "0001.jpg"], [("0001.png", "", "page.twice")]),
        (["0001.png", "1.png"], [("1.png", "", "page.twice")]),
        (["a.png", "A.png"], [("a.png", "", "page.twice")]),
        (["0001.png", "v1/0001.png"], [("0001.png", "", "deposit.mixed")]),
        (["0001.png", "con.png"], [("con.png", "", "file.name")]),
        (["0001.png", "a:b.png"], [("a:b.png", "", "file.name")]),
        (["0001.png", "work.csv"], [("work.csv", "", "record.form")]),
        (["0001.png", "mets.xml"], [("mets.xml", "", "record.form")]),
    ],
)
def test_faults_of_names_and_page_numbers(
    names: list[str], expected: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    assert codes(checked(write_deposit(tmp_path / "book", *names)).faults) == expected


def test_fault_of_the_folder_itself_has_its_path(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book")
    assert codes(checked(folder).faults) == [(str(folder), "", "deposit.empty")]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("0002.png", b"", "master.empty"),
        ("notes.txt", b"some text", "file.unexpected"),
        (".hidden", b"some text", "file.unexpected"),
        ("text/0009.txt", b"text", "text.page"),
        ("text/0001.xml", b"<alto>", "text.syntax"),
        ("text/book.xml", b"<TEI><text><pb/><pb/><pb/></text></TEI>", "text.pages"),
        ("text/0001.doc", b"", "file.unexpected"),
        ("v/deep/0001.png", PNG, "file.unexpected"),
    ],
)
def test_unexpected_and_empty_files_are_faults(name: str, content: bytes, code: str, tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    assert code in {fault.code for fault in checked(folder).faults}


def test_image_with_another_suffix_is_examined(tmp_path: Path) -> None:
    examiner = FakeExaminer()
    check(write_deposit(tmp_path / "book", "0001.data"), examiner, SilentProgress())
    assert examiner.calls == ["0001.data"]


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def make_link(path: Path) -> None:
    path.symlink_to("0001.png")


def make_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere.png")


@pytest.mark.parametrize("make_special", [make_fifo, make_socket, make_link, make_dangling_link])
def test_special_files_and_links_are_refused_unread(
    make_special: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png")
    monkeypatch.chdir(folder)
    make_special(folder / "0002.png")
    assert codes(checked(folder).faults) == [("0002.png", "", "file.kind")]


def test_folder_with_an_image_suffix_is_a_volume(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png")
    (folder / "0002.tif").mkdir()
    assert codes(checked(folder).faults) == [("0002.tif", "", "deposit.empty")]


def test_name_that_is_not_utf8_is_reported_in_escapes(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png")
    (folder / os.fsdecode(b"\xff.png")).write_bytes(PNG)
    assert codes(checked(folder).faults) == [("\\xff.png", "", "file.name")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_without_read_permission_is_a_fault(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "v1/0001.png", "v2/0001.png")
    for mode in (0, 0o400):
        (folder / "v2").chmod(mode)
        assert codes(checked(folder).faults) == [("v2/", "", "file.unreadable")]
    (folder / "v2").chmod(0o700)
    for mode in (0, 0o400):
        folder.chmod(mode)
        assert codes(checked(folder).faults) == [(str(folder), "", "file.unreadable")]
    folder.chmod(0o700)


@pytest.mark.parametrize(("within", "name"), [("", "{folder}"), ("v2", "v2/")])
def test_folder_that_cannot_be_read_causes_no_other_fault(
    within: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_deposit(tmp_path / "book", "v1/0001.png", "v2/0001.png")
    scan = os.scandir

    def refuse(path: Path) -> object:
        if path == folder / within:
            raise PermissionError(errno.EACCES, "Permission denied")
        return scan(path)

    monkeypatch.setattr("workers.deposit.listing.os.scandir", refuse)
    (fault,) = checked(folder).faults
    assert (fault.file, fault.code) == (name.format(folder=folder), "file.unreadable")
    assert "Permission denied" in fault.message.en


def test_duplicate_image_fault_names_the_first_file(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png", "0002.png")
    (folder / "0003.png").write_bytes((folder / "0001.png").read_bytes())
    (fault,) = checked(folder).faults
    assert (fault.file, fault.code) == ("0003.png", "page.duplicate")
    assert "0001.png" in fault.message.zh


def test_all_faults_are_listed_record_first_then_files_in_natural_order(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0010.png", "0002.png", record='titel = "試"', content="broken")
    (folder / "0005.png").write_bytes(b"")
    assert codes(checked(folder).faults) == [
        ("work.toml", "titel", "record.unknown-key"),
        ("work.toml", "title", "record.missing"),
        ("", "0003-0004", "page.gap"),
        ("", "0006-0009", "page.gap"),
        ("0002.png", "", "master.unreadable"),
        ("0005.png", "", "master.empty"),
        ("0010.png", "", "master.unreadable"),
    ]


@pytest.mark.parametrize("record", ['title = "試"', 'titel = "試"'])
def test_parts_of_a_file_that_its_image_does_not_show_are_notices(record: str, tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0002.png", "0003.png", record=record, content="infrared")
    write_deposit(folder, "0001.png", record=record)
    result = checked(folder)
    assert codes(result.notices) == [(name, "", "master.extra-samples") for name in ("0002.png", "0003.png")]
    assert result.work is None or [image.master.ignored for image in result.work.images()] == [
        (),
        ("extra-samples",),
        ("extra-samples",),
    ]


def test_unreadable_image_causes_no_range_fault(tmp_path: Path) -> None:
    record = 'title = "試"\n[[range]]\nlabel = "卷一"\npages = "0001-0002"'
    folder = write_deposit(tmp_path / "book", "0001.png", "0002.png", record=record)
    (folder / "0002.png").write_bytes(PNG + b"broken")
    assert codes(checked(folder).faults) == [("0002.png", "", "master.unreadable")]


@pytest.mark.parametrize(
    "table", ['file = "0009"', 'file = "0001"\nmissing = true', 'file = "v9/1"\nmissing = true', 'file = "0002"']
)
def test_page_table_without_a_page_is_a_fault(table: str, tmp_path: Path) -> None:
    record = f'title = "試"\n[[page]]\nfile = "0002"\n[[page]]\n{table}'
    faults = checked(write_deposit(tmp_path / "book", "0001.png", "0002.png", record=record)).faults
    assert codes(faults) == [("work.toml", "page[2].file", "page.file")]


def test_missing_record_and_missing_folder_are_faults(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png")
    (folder / "work.toml").unlink()
    assert codes(checked(folder).faults) == [("work.toml", "", "record.absent")]
    none = tmp_path / "none"
    assert codes(checked(none).faults) == [(str(none), "", "deposit.absent")]
    assert codes(checked(folder / "0001.png").faults) == [(str(folder / "0001.png"), "", "deposit.absent")]


def test_each_image_is_examined_once_and_progress_counts_bytes(tmp_path: Path) -> None:
    folder = write_deposit(tmp_path / "book", "0001.png", "0002.png", "0003.png")
    examiner, progress = FakeExaminer(), RecordingProgress()
    check(folder, examiner, progress)
    assert sorted(examiner.calls) == ["0001.png", "0002.png", "0003.png"]
    sizes = [path.stat().st_size for path in folder.glob("*.png")]
    assert progress.calls == [sum(sizes), *sizes, "end"]


def test_full_disk_is_not_a_fault_of_the_deposit(tmp_path: Path) -> None:
    progress = RecordingProgress()
    with pytest.raises(StagingFault):
        check(write_deposit(tmp_path / "book", "0001.png", content="full"), FakeExaminer(), progress)
    assert progress.calls[-1] == "end"


def test_redaction_belongs_to_its_page_and_must_overlap_the_image(tmp_path: Path) -> None:
    record = 'title = "試"\n[[page]]\nfile = "0001"\nredact = ["{}"]'
    hidden = checked(write_deposit(tmp_path / "book", "0001.png", "0002.png", record=record.format("1,1,5,5"))).work
    assert hidden is not None
    assert [image.redactions for image in hidden.images()] == [(Rectangle(1, 1, 5, 5),), ()]
    faults = checked(write_deposit(tmp_path / "other", "0001.png", record=record.format("99999,1,5,5"))).faults
    assert codes(faults) == [("work.toml", "page[1].redact", "page.redact")]


def test_other_photographs_of_a_page_are_no_pages(tmp_path: Path) -> None:
    record = (
        'title = "碑"\n[[page]]\nfile = "0001"\npicture = "彩色"\n'
        '[[page]]\nfile = "0001_ir"\nof = "0001"\npicture = "紅外"\n'
    )
    result = checked(write_deposit(tmp_path / "book", "0001.png", "0001_ir.png", "0002.png", record=record))
    assert result.faults == ()
    assert result.work is not None
    pages = [(page.key, [image.label for image in page.images]) for page in result.work.pages()]
    assert pages == [("0001", ["彩色", "紅外"]), ("0002", [""])]


@pytest.mark.parametrize("of", ["0009", "0002", "0001_ir"], ids=["unknown", "itself", "another photograph"])
def test_photograph_of_no_page_is_a_fault(of: str, tmp_path: Path) -> None:
    record = (
        f'title = "碑"\n[[page]]\nfile = "0002"\nof = "{of}"\n[[page]]\nfile = "0001_ir"\nof = "0001"\n'
    )  # fmt: skip
    result = checked(write_deposit(tmp_path / "book", "0001.png", "0001_ir.png", "0002.png", record=record))
    assert ("page.of", "page[1].of") in {(fault.code, fault.place) for fault in result.faults}


SEQUENCE = '[[range]]\nlabel = "次序"\nsequence = true\n'
INNER = '[[range]]\nlabel = "內"\nparent = "次序"\npages = "0001"\n'


@pytest.mark.parametrize("extra", ['parent = "卷一"\npages = "0001"\n', "", f'pages = "0001"\n{INNER}'])
def test_sequence_within_ranges_or_without_pages_is_a_fault(extra: str, tmp_path: Path) -> None:
    record = f'title = "書"\n[[range]]\nlabel = "卷一"\npages = "0001"\n{SEQUENCE}{extra}'
    result = checked(write_deposit(tmp_path / "book", "0001.png", record=record))
    assert "range.sequence" in {fault.code for fault in result.faults}


def test_side_that_was_not_photographed_has_a_page(tmp_path: Path) -> None:
    record = 'title = "書"\n[[page]]\nfile = "0000"\nlabel = "前護葉"\nmissing = true\nblank = true\n'
    result = checked(write_deposit(tmp_path / "book", "0001.png", record=record))
    assert result.work is not None
    assert [(page.label, page.unphotographed) for page in result.work.pages()] == [("前護葉", True), ("1", False)]
