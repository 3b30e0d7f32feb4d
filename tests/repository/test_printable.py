from __future__ import annotations

import json
import logging
import logging.config
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.logs import PrintableFormatter
from repository.printable import printable, printable_lines

HOSTILE = st.text(
    st.characters(codec=None) | st.sampled_from("\n\r\x1b\x07\x08\x7f\x85\x9b\u2028\u202e\u2066\ud800\udcff"),
    max_size=60,
)


def controls(text: str) -> set[str]:
    """Return the characters of a text that control a terminal, end a line or reverse text, by their Unicode class."""
    reversing = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    return {
        each
        for each in text
        if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(each) in reversing
    }


@given(HOSTILE)
def test_printable_text_is_one_line_without_controls(text: str) -> None:
    assert controls(printable(text)) == set()
    assert len(printable(text).splitlines()) <= 1
    assert controls(printable_lines(text)) <= {"\n"}


@given(HOSTILE)
def test_printable_json_has_the_same_value(text: str) -> None:
    written = printable(json.dumps({"folder": text}, ensure_ascii=False))
    assert json.loads(written) == {"folder": text}
    written.encode()


@pytest.mark.parametrize("text", ["千字文 卷一", "a/b.tif", "𠀀", "e\u0301", "👩‍👩‍👧"])
def test_printable_text_without_controls_is_unchanged(text: str) -> None:
    assert printable(text) == text


@given(HOSTILE, HOSTILE, st.booleans())
def test_a_log_record_begins_one_line_whatever_it_quotes(message: str, reason: str, fails: bool) -> None:
    formatter = PrintableFormatter("%(levelname)s %(message)s")
    error = (ValueError, ValueError(reason), None) if fails else None
    record = logging.LogRecord("shanben", logging.ERROR, "", 0, "at %s", (message,), error)
    record.exc_text = "ERROR of another handler\nERROR forged"
    first, *others = formatter.format(record).split("\n")
    assert first.startswith("ERROR at ")
    assert controls(first) == set()
    assert all(line.startswith("    ") and controls(line) == set() for line in others)
    assert bool(others) is fails


FORGE = """
import logging, logging.config
from repository import logs
{configure}
logging.getLogger("shanben.image").warning("cannot read %s", "/a\\n2026-01-01 ERROR forged \\x1b[2J")
"""


@pytest.mark.parametrize("configure", ["logs.log_to_stderr()", "logging.config.dictConfig(logs.log_configuration())"])
def test_a_process_writes_its_log_in_printable_lines(configure: str) -> None:
    program = FORGE.format(configure=configure)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert line.endswith("WARNING shanben.image: cannot read /a\\u000a2026-01-01 ERROR forged \\u001b[2J")
