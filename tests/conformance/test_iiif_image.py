"""The IIIF consortium's image validator, run completely against `shanben serve` with its test picture ingested."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from command_line import ShanbenHere
from PIL import Image
from validator_picture import NAME, validator_picture
from web_server import NO_LOCAL_WORKER, WebServer

from repository.config import Settings
from repository.repository import open_repository

pytestmark = pytest.mark.integration

COMMANDS = Path(sys.executable).parent
PATCHED = Path(__file__).with_name("patched_validator.py")
CONFINED_ENLARGED = {"size_noup"}
"""The test of level 2 in 3.0 whose last check is not met: it demands 400 for ``!2000,3000`` of 1000 by 1000 pixels.

Section 4.2 of 3.0 says of ``!w,h`` that the result fits the box, is "as large as possible" and "must not be greater
than the extracted region": the region at its own size. Viewers ask for thumbnails so, without knowing the size of the
image, and other servers of 3.0 return it. The other checks of the test are made here.
"""

IMPOSSIBLE = {"size_up"}
"""The test that no server with a size limit can pass.

It expects ``^max`` to be 1000 by 1000 ("needs a bit more thought", it says), and in its next line ``^pct:200`` to be
2000 by 2000. By section 4.2 of 3.0, ``^max`` is as large as the server permits, which is then at least 2000. The checks
of ``^`` before that line pass; those after it are made here.
"""


@dataclass(frozen=True)
class Served:
    """A running server and the identifier of the picture."""

    address: str
    image: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("validator")
    deposit, data = folder / "deposit", folder / "var"
    deposit.mkdir()
    validator_picture().save(deposit / "0001.png")
    (deposit / "work.toml").write_text('title = "驗證"\n', "utf-8")
    shanben = ShanbenHere(folder)
    assert shanben.run("ingest", deposit).code == 0
    cover = open_repository(Settings(data=data)).catalogue.works()[0].cover
    assert cover
    with WebServer(folder, shanben.environment | NO_LOCAL_WORKER) as server:
        yield Served(f"127.0.0.1:{server.port}", cover)


def validate(served: Served, version: str, level: int, *, patched: bool) -> tuple[int, set[str], str]:
    """Return the validator's exit status (its count of failures), the tests that failed, and its output."""
    address = ["-s", served.address, "-p", f"iiif/image/{version[0]}", "-i", served.image]
    program = [PATCHED, COMMANDS / "iiif-validate.py"] if patched else [COMMANDS / "iiif-validate.py"]
    command = [sys.executable, *program, *address, f"--version={version}", f"--level={level}", "-v"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    output = done.stdout + done.stderr
    assert "Done (" in output, output
    return done.returncode, set(re.findall(r"test (\w+) FAIL", output)), output


def test_generated_picture_is_the_published_one(shared: Path) -> None:
    with Image.open(shared / "conformance" / "iiif-image" / f"{NAME}.png") as published:
        assert published.convert("RGB").tobytes() == validator_picture().tobytes()


@pytest.mark.parametrize(("version", "tests", "failing"), [("3.0", 33, CONFINED_ENLARGED), ("2.0", 30, set())])
def test_published_validator_passes_every_test_of_level_2_but_one_check(
    served: Served, version: str, tests: int, failing: set[str]
) -> None:
    failures, names, output = validate(served, version, 2, patched=False)
    assert names == failing, output
    assert failures == len(failing)
    assert output.count(" PASS") == tests - len(failing)


@pytest.mark.parametrize(
    ("version", "tests", "failing"),
    [("3.0", 45, IMPOSSIBLE | CONFINED_ENLARGED), ("2.0", 42, set()), ("2.1", 43, set())],
)
def test_patched_validator_passes_every_optional_test(
    served: Served, version: str, tests: int, failing: set[str]
) -> None:
    failures, names, output = validate(served, version, 3, patched=True)
    assert names == failing, output
    assert failures == len(failing)
    assert output.count(" PASS") == tests - len(failing), output


@pytest.mark.parametrize("size", ["1100,1100", "2000,2000", ",1001", "1001,", "pct:200", "1,1001"])
def test_size_above_the_region_is_refused_without_caret(served: Served, size: str) -> None:
    with pytest.raises(HTTPError) as refusal:
        urlopen(f"http://{served.address}/iiif/image/3/{served.image}/full/{size}/0/default.jpg", timeout=20)
    assert refusal.value.code == 400


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("size", ["!2000,3000", "!1001,1001", "!1000,1000"])
def test_size_confined_to_a_larger_box_is_that_of_the_region(served: Served, version: int, size: str) -> None:
    address = f"http://{served.address}/iiif/image/{version}/{served.image}/full/{size}/0/default.jpg"
    with urlopen(address, timeout=20) as answer, Image.open(io.BytesIO(answer.read())) as picture:
        assert picture.size == (1000, 1000)


@pytest.mark.parametrize(
    ("size", "sides"), [("^pct:200", (2000, 2000)), ("^!2000,500", (500, 500)), ("^!2000,3000", (2000, 2000))]
)
def test_upscaling_beyond_the_impossible_check_has_the_size_asked_for(
    served: Served, size: str, sides: tuple[int, int]
) -> None:
    address = f"http://{served.address}/iiif/image/3/{served.image}/full/{size}/0/default.jpg"
    with urlopen(address, timeout=20) as answer, Image.open(io.BytesIO(answer.read())) as picture:
        assert picture.size == sides


@pytest.mark.parametrize("version", [2, 3])
def test_head_response_has_the_content_length_where_it_is_known(served: Served, version: int) -> None:
    base = f"http://{served.address}/iiif/image/{version}/{served.image}"
    for rest in ["info.json", "512,512,488,488/488,/0/default.jpg"]:
        with urlopen(f"{base}/{rest}", timeout=20) as whole:
            length = len(whole.read())
            assert whole.headers["Content-Length"] == str(length)
        with urlopen(Request(f"{base}/{rest}", method="HEAD"), timeout=20) as head:
            assert head.read() == b""
            assert head.headers["Content-Length"] == str(length), rest
    with urlopen(Request(f"{base}/full/90,90/0/gray.png", method="HEAD"), timeout=20) as head:
        assert head.headers["Content-Length"] is None


@pytest.mark.parametrize("version", [2, 3])
def test_identifier_may_have_any_letter_percent_encoded(served: Served, version: int) -> None:
    encoded = "".join(f"%{ord(letter):02x}" for letter in served.image)
    base = f"http://{served.address}/iiif/image/{version}"
    for spelt in [encoded, encoded.upper()]:
        with urlopen(f"{base}/{spelt}/full/90,/0/default.jpg", timeout=20) as answer:
            assert f"{base}/{served.image}/full/90," in answer.headers["Link"]
