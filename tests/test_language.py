"""The language of code and documentation: no retired word, and the same facts in English and Chinese."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
OWN_FILE = Path(__file__).resolve()

# Words of earlier versions, with what to write instead. In names, the underscore counts as a space.
RETIRED = {
    r"(is|are|was|were|be|been|being) told": "reports, returns, is given",
    r"whoever": "name the reader, the client, the caller",
    r"sees? to": "handles, runs, ensures",
    r"seen to": "handled, ensured",
    r"taken in": "ingested, accepted",
    r"handed in": "deposited, submitted",
    r"the house": "the installation, the library",
    r"rooms": "subpackages, folders, space",
    r"floors": "layers",
}
PATTERN = re.compile(rf"\b(?:{'|'.join(RETIRED)})\b", re.IGNORECASE)
TEXT_SUFFIXES = {
    *(
        ".cfg",
        ".conf",
        ".css",
        ".env",
        ".example",
        ".html",
        ".ini",
        ".mako",
        ".md",
        ".mjs",
        ".py",
        ".rules",
        ".service",
    ),
    *(".sh", ".target", ".toml", ".ts", ".yaml", ".yml", ""),
}
BUILT = {"build", "node_modules", "shanben.egg-info", "var", "__pycache__"}
"""Folders of generated or installed files, beside hidden ones and `web/static/reader`."""

TRANSLATED = ("deposits", "conservators", "operators", "commands", "settings", "partners")
PAIRS = {
    PROJECT / "README.md": PROJECT / "README.zh.md",
    **{PROJECT / f"docs/{name}.md": PROJECT / f"docs/zh/{name}.md" for name in TRANSLATED},
}


def sources() -> Iterator[Path]:
    """Yield every text file that people write: code, templates, configuration, documentation."""
    for path in PROJECT.rglob("*"):
        parts = path.relative_to(PROJECT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        built = BUILT & set(parts) or parts[:3] == ("web", "static", "reader")
        if not hidden and not built and path.is_file() and path.suffix in TEXT_SUFFIXES and path != OWN_FILE:
            yield path


def test_code_and_documentation_use_no_retired_word() -> None:
    uses = [
        f"{path.relative_to(PROJECT)}:{number}: {match[0]}"
        for path in sources()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        for match in PATTERN.finditer(line.replace("_", " "))
    ]
    assert uses == [], f"write instead: {RETIRED}"


def test_every_page_for_users_is_translated() -> None:
    assert [str(page.relative_to(PROJECT)) for page in PAIRS.values() if not page.exists()] == []


def pairs() -> list[object]:
    chinese_pages = sorted((PROJECT / "docs/zh").rglob("*.md"))
    pairs = PAIRS | {PROJECT / "docs" / page.relative_to(PROJECT / "docs/zh"): page for page in chinese_pages}
    return [
        pytest.param(english, chinese, id=str(chinese.relative_to(PROJECT)))
        for english, chinese in pairs.items()
        if chinese.exists()
    ]


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return language and text of every code block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Return the lines of all blocks that hold commands or files, without their comments."""
    lines = [line for language, text in blocks(page) if language != "toml" for line in text.splitlines()]
    bare = [re.sub(r"\s*(^|\s)#.*", "", line).rstrip() for line in lines]
    return [line for line in bare if line]


def keys(page: Path) -> list[object]:
    """Return the structure of every TOML example: its tables and keys, without the values."""

    def structure(value: object) -> object:
        if isinstance(value, dict):
            return {key: structure(inner) for key, inner in value.items()}
        return [structure(inner) for inner in value if isinstance(inner, dict)] if isinstance(value, list) else None

    return [structure(tomllib.loads(text)) for language, text in blocks(page) if language == "toml"]


def literals(page: Path) -> set[str]:
    """Return what a reader types or looks up: settings, options, commands and make targets in code."""
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page.read_text("utf-8"))
    patterns = (r"SHANBEN_[A-Z0-9_]+", r"(?<![\w-])--[a-z][a-z-]+", r"\bmake [a-z][a-z-]*", r"^shanben [a-z][a-z ]*")
    code = [*spans, *commands(page)]
    return {match.strip() for pattern in patterns for text in code for match in re.findall(pattern, text)}


def headings(page: Path) -> list[int]:
    """Return the levels of the headings, in their order."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [len(match) for match in re.findall(r"^(#+) ", prose, re.MULTILINE)]


def tables(page: Path) -> list[list[str]]:
    """Return the code in the first cell of every table row, in its order."""
    cells = re.findall(r"^\|([^|]+)", page.read_text("utf-8"), re.MULTILINE)
    return [re.findall(r"`[^`]+`", cell) for cell in cells if "`" in cell]


@pytest.mark.parametrize(("english", "chinese"), pairs())
def test_both_languages_give_the_same_commands_settings_and_headings(english: Path, chinese: Path) -> None:
    assert commands(chinese) == commands(english)
    assert keys(chinese) == keys(english)
    assert literals(chinese) == literals(english)
    assert headings(chinese) == headings(english)
    assert tables(chinese) == tables(english)
