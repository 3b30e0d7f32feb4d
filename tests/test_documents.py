"""The documentation agrees with the code: settings, commands, make targets, example records, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from repository.config import PREFIX, Settings
from repository.model.work import Record
from web.cli.main import main
from workers.deposit.record import read_record

PROJECT = Path(__file__).resolve().parents[1]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])


def page(name: str) -> str:
    return (PROJECT / "docs" / name).read_text("utf-8")


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(group: click.Group, path: tuple[str, ...] = ("shanben",)) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def sections(text: str) -> dict[str, str]:
    """Return the text of every section of the second level, by heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_settings_page_lists_every_setting_with_its_default() -> None:
    documented = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(page("settings.md")) if PREFIX in cells[0]}
    real = {PREFIX + field.name.upper(): getattr(Settings(), field.name) for field in fields(Settings)}
    assert documented == {name: "(none)" if default in ("", ()) else str(default) for name, default in real.items()}


def test_every_setting_named_in_a_page_exists() -> None:
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    named = {name for path in PAGES for name in re.findall(rf"{PREFIX}[A-Z0-9_]*[A-Z0-9]\b", path.read_text("utf-8"))}
    assert {name for name in named if not any(setting.startswith(name) for setting in known)} == set()


def test_the_commands_page_has_a_section_for_every_command() -> None:
    documented = {title for title in sections(page("commands.md")) if title.startswith("shanben")}
    assert documented == {name for name, _ in commands(main)}


@pytest.mark.parametrize(("name", "command"), [pytest.param(*command, id=command[0]) for command in commands(main)])
def test_the_section_of_a_command_lists_its_options_with_defaults(name: str, command: click.Command) -> None:
    section = sections(page("commands.md"))[name]
    options = [option for option in command.params if isinstance(option, click.Option) and "--json" not in option.opts]
    assert set(re.findall(r"`(--?[a-z][a-z-]*)`", section)) - {"--json"} == {name for o in options for name in o.opts}
    for option in options:
        if isinstance(option.default, int | str) and not option.is_flag:
            line = next(line for line in section.splitlines() if f"`{option.opts[-1]}`" in line)
            assert str(option.default) in line


def test_every_command_named_in_a_page_exists() -> None:
    known = {tuple(name.split()) for name, _ in commands(main)}
    lines = [line for path in PAGES for line in re.split(r"[`\n]", path.read_text("utf-8"))]
    named = [
        line.removeprefix(".venv/bin/").split() for line in lines if re.match(r"(\.venv/bin/)?shanben [a-z]", line)
    ]
    assert len(named) > 20
    assert [words for words in named if not {tuple(words[:2]), tuple(words[:3])} & known] == []


def test_every_make_target_named_in_a_page_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for path in PAGES for line in re.split(r"[`\n]", path.read_text("utf-8"))]
    named = {match[1] for line in lines if (match := re.match(r"make ([a-z]+)", line))}
    assert named <= targets
    assert {"demo", "test", "bench", "lint", "clean"} <= named


def test_the_example_records_are_valid_and_use_every_key() -> None:
    (small,), (full,) = (
        code_blocks((PROJECT / name).read_text("utf-8"), "toml") for name in ("README.md", "docs/deposits.md")
    )
    for example in (small, full):
        description, faults = read_record(example.encode())
        assert faults == ()
        assert description is not None
    documented = {cells[0].strip("`") for cells in rows(page("deposits.md")) if cells[0].startswith("`")}
    used = set(re.findall(r"^([a-z_]+) =", full.partition("[[")[0].partition("[date]")[0], re.MULTILINE)) | {"date"}
    assert documented == used
    assert {field.name for field in fields(Record)} <= documented


def test_every_link_in_a_page_has_a_target() -> None:
    dead = {
        f"{path.relative_to(PROJECT)}: {target}"
        for path in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    }
    assert dead == set()
