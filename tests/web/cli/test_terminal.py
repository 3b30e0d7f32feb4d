"""What a terminal shows of text from outside: names of folders, messages of decoders."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

from repository.errors import StoreFault
from repository.faults import Fault
from repository.localized import Language, LocalizedText
from repository.sandbox.functions import Layer
from web.cli.main import main
from web.cli.sandbox_report import report_sandbox
from web.cli.terminal import PrintableConsole, Terminal, TerminalProgress

pytestmark = pytest.mark.slow

HOSTILE = st.text(st.characters(codec="utf-8") | st.sampled_from("\x1b\r\n\x07\x9b\x85\u202e[]"), max_size=20)
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
STYLES = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")
"""The sequences that rich writes itself: colours, and movements of the cursor."""

Show = Callable[[Terminal, str], None]


def error(terminal: Terminal, text: str) -> None:
    terminal.report_error(StoreFault(key=text, reason=text))


def progress(terminal: Terminal, text: str) -> None:
    bar = TerminalProgress(terminal.console, Language.ENGLISH)
    bar.start(LocalizedText(text, text), 2)
    bar.advance()
    bar.finish()


def table(terminal: Terminal, text: str) -> None:
    shown = Table(show_header=False)
    shown.add_row(Text(text), Text(text).append(f"\n{text}"))
    terminal.console.print(shown)


SHOWN: dict[str, Show] = {
    "write": lambda terminal, text: terminal.write(LocalizedText(text, text)),
    "value": lambda terminal, text: terminal.write_value(LocalizedText("a", "a"), text),
    "warn": lambda terminal, text: terminal.warn(LocalizedText(text, text)),
    "faults": lambda terminal, text: terminal.faults([Fault(text, text, "code", LocalizedText(text, text))]),
    "error": error,
    "progress": progress,
    "table": table,
    "document": lambda terminal, text: terminal.write_document(text),
    "result": lambda terminal, text: terminal.result({text: text}),
}


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("is_terminal", [False, True])
@given(text=HOSTILE, as_json=st.booleans())
def test_no_control_character_of_a_text_reaches_the_terminal(
    name: str, is_terminal: bool, text: str, as_json: bool
) -> None:
    errors = io.StringIO()
    console = PrintableConsole(file=errors, force_terminal=is_terminal, soft_wrap=True, color_system=None)
    with CliRunner().isolation() as (output, *_):
        SHOWN[name](Terminal(Language.ENGLISH, as_json, console), text)
        written = output.getvalue().decode()
    own = STYLES.sub("", errors.getvalue()) if is_terminal else errors.getvalue()
    own = own.replace("\r", "") if name == "progress" and is_terminal else own
    assert CONTROLS.findall(written + own) == []


def test_a_hostile_name_cannot_send_a_sequence_to_a_terminal() -> None:
    errors = io.StringIO()
    console = PrintableConsole(file=errors, force_terminal=True, color_system=None)
    with Progress(TextColumn("{task.description}", markup=False), console=console) as bars:
        bars.add_task("\x1b]0;title\x07 \x1b[2J")
    assert "\x1b]0;" not in errors.getvalue()
    assert "\x1b[2J" not in errors.getvalue()


def test_status_names_the_layers_of_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path / "var"))
    assert CliRunner().invoke(main, ["init"]).exit_code == 0
    document = json.loads(CliRunner().invoke(main, ["status", "--json"]).stdout)
    assert set(document["sandbox"]) <= {layer.value for layer in Layer}
    shown = CliRunner().invoke(main, ["status"]).output
    assert all(name in shown.splitlines()[-1] for name in document["sandbox"] or ["none"])


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((Layer.LANDLOCK, Layer.SECCOMP), "sandbox: landlock, seccomp"),
        ((), "sandbox: none"),
        (LocalizedText("不明", "the child did not start"), "sandbox: the child did not start"),
    ],
)
def test_the_boundary_is_reported_in_words(layers: tuple[Layer, ...] | LocalizedText, expected: str) -> None:
    with CliRunner().isolation() as (output, errors, *_):
        terminal = Terminal(Language.ENGLISH, False)
        report_sandbox(terminal, layers)
        assert expected in (output.getvalue() + errors.getvalue()).decode()


@pytest.mark.parametrize("arguments", [("status",), ("repair",), ("rebuild",), ("log", "verify"), ("ingest", ".")])
def test_a_data_folder_that_cannot_be_reached_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    data = tmp_path / ("a" * 300)  # longer than a name may be: also root cannot reach it
    monkeypatch.setenv("SHANBEN_DATA", str(data))
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 3, result.output
    assert f"{data} cannot be used: File name too long" in result.output.replace("\n", "")


def test_the_file_of_a_bag_that_cannot_be_reached_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path))
    bag = tmp_path / ("a" * 300)
    result = CliRunner().invoke(main, ["import-bag", str(bag)])
    assert result.exit_code == 3, result.output
    assert f"{bag} cannot be used" in result.output.replace("\n", "")
