"""Arranges the pages of a deposit into volumes, in reading order and with labels. (pure)

Names decide the order (`ordering.py`), unless the record gives numbers: ``order`` in ``[[volume]]`` or ``[[page]]``
tables. What names do not decide is a fault, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.condition import Condition
from workers.deposit.naming import default_label, default_volume_label, is_leaf_side, page_number
from workers.deposit.ordering import Arranged, Token, arrange, tokens
from workers.deposit.record import PageTable, VolumeTable

_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class ArrangedPage:
    """A page in its place: its key and label."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class ArrangedVolume:
    """A volume in its place: its folder ('' for none), label, pages in reading order, and condition if recorded."""

    folder: str
    label: str
    pages: tuple[ArrangedPage, ...]
    condition: Condition | None = None


def arrange_pages(
    keys: Iterable[str], volumes: Mapping[str, VolumeTable], pages: Mapping[str, PageTable]
) -> tuple[tuple[ArrangedVolume, ...], list[Fault]]:
    """Return volumes and pages in reading order, and faults for those whose order is not known.

    `keys` are those of all pages, missing ones included; `volumes` maps folders, `pages` page keys to their tables.
    """
    stems: dict[str, list[str]] = {}
    for key in sorted(keys):
        folder, _, stem = key.rpartition("/")
        stems.setdefault(folder, []).append(stem)
    folders, faults = _arrange_folders(list(stems), volumes)
    arranged = []
    for ordinal, folder in enumerate(folders, start=1):
        prefix = f"{folder}/" if folder else ""
        ordered, page_faults = _arrange_stems(prefix, stems[folder], pages)
        faults += page_faults
        table = volumes.get(folder)
        label = (table and table.label) or (default_volume_label(folder, ordinal) if folder else "")
        condition = table.condition if table else None
        arranged.append(
            ArrangedVolume(folder, label, tuple(_page(prefix + stem, pages) for stem in ordered), condition)
        )
    return tuple(arranged), faults


def skipped_leaves(volumes: Sequence[ArrangedVolume]) -> list[Fault]:
    """Return a notice for each place where leaf numbers skip: 三 is followed by 十, or 0002b by 0010a.

    Leaf numbers are those of the book, which may skip without loss; files that the camera numbers may not.
    """
    return [
        Fault(
            after,
            "",
            "leaf.skip",
            LocalizedText(
                f"叶码不连续，前一页是 {before}；如有漏拍，请补齐图像",
                f"leaf numbers skip, the page before is {before}; add the images if leaves were not photographed",
            ),
        )
        for volume in volumes
        for before, after in _leaf_skips([page.key for page in volume.pages])
    ]


def _leaf_skips(keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    for before, after in pairwise(keys):
        first, second = (_leaf(key.rpartition("/")[2]) for key in (before, after))
        if first and second and first[0] == second[0] and second[1] > first[1] + 1:
            yield before, after


def _leaf(stem: str) -> tuple[tuple[Token, ...], int] | None:
    """Return what stands before the leaf number in a name, and the number; None if the name has none."""
    if number := page_number(stem):
        return ((number.before,), number.value) if is_leaf_side(number) else None
    found = tokens(stem)
    places = [place for place, token in enumerate(found) if isinstance(token, int)]
    return (found[: places[0]], int(found[places[0]])) if len(places) == 1 else None


def match_volume_tables(
    tables: Sequence[VolumeTable], folders: Iterable[str]
) -> tuple[dict[str, VolumeTable], list[tuple[VolumeTable, LocalizedText]]]:
    """Return the ``[[volume]]`` tables by folder, and the problems of those that match none."""
    known = set(folders)
    matches: dict[str, VolumeTable] = {}
    problems = []
    for table in tables:
        if table.folder not in known:
            zh = f"没有名为 {table.folder} 的册文件夹；请核对"
            en = f"there is no volume folder {table.folder}; check it"
            problems.append((table, LocalizedText(zh, en)))
        elif table.folder in matches:
            zh, en = f"{table.folder} 重复说明；请删去一处", f"{table.folder} is described twice; remove one table"
            problems.append((table, LocalizedText(zh, en)))
        else:
            matches[table.folder] = table
    return matches, problems


def _page(key: str, tables: Mapping[str, PageTable]) -> ArrangedPage:
    table = tables.get(key)
    return ArrangedPage(key, (table and table.label) or default_label(key.rpartition("/")[2]))


def _arrange_folders(folders: Sequence[str], tables: Mapping[str, VolumeTable]) -> tuple[list[str], list[Fault]]:
    orders = {folder: table.order for folder in folders if (table := tables.get(folder)) and table.order is not None}
    arranged = _arrange(folders, orders, _only_number)
    unknown = [*arranged.unknown, *arranged.equal]
    return list(arranged.names), [Fault(names[0], "", "volume.order", _volume_message(names)) for names in unknown]


def _arrange_stems(prefix: str, stems: Sequence[str], tables: Mapping[str, PageTable]) -> tuple[list[str], list[Fault]]:
    orders = {stem: table.order for stem in stems if (table := tables.get(prefix + stem)) and table.order is not None}
    arranged = _arrange(stems, orders, _page_value)
    # Files of equal names are faults of the listing already, unless the record gives them an order.
    unknown = [*arranged.unknown, *(names for names in arranged.equal if orders.keys() & set(names))]
    keys = [tuple(prefix + stem for stem in names) for names in unknown]
    return list(arranged.names), [Fault(names[0], "", "page.order", _page_message(names)) for names in keys]


def _arrange(names: Sequence[str], orders: Mapping[str, int], number_of: Callable[[str], int | None]) -> Arranged:
    """Arrange names; when some have a number in `orders`, all by these or else by their own numbers.

    Of the names with the same number of their own, the order is that of the names.
    """
    if not orders:
        return arrange(names)
    numbers = {name: orders.get(name, number_of(name)) for name in names}
    unnumbered = tuple(name for name in names if numbers[name] is None)
    ordered, unknown, equal = list(unnumbered), [unnumbered[:_MOST_NAMED]] if unnumbered else [], []
    for number in sorted({number for number in numbers.values() if number is not None}):
        sharing = [name for name in names if numbers[name] == number]
        among = arrange(sharing)
        ordered += among.names
        if len(sharing) > 1 and not orders.keys().isdisjoint(sharing):
            equal.append(tuple(sharing[:_MOST_NAMED]))
        else:
            unknown += among.unknown
            equal += among.equal
    return Arranged(tuple(ordered), tuple(unknown), tuple(equal))


def _only_number(folder: str) -> int | None:
    """Return the number in the name of a folder, None if it has none or several."""
    numbers = [int(token) for token in tokens(folder) if isinstance(token, int)]
    return numbers[0] if len(numbers) == 1 else None


def _page_value(stem: str) -> int | None:
    number = page_number(stem)
    return number.value if number else _only_number(stem)


def _volume_message(folders: Sequence[str]) -> LocalizedText:
    return LocalizedText(
        f"无法判断各册的先后：{'、'.join(folders)}；请在 work.toml 中为每册写一个 [[volume]] 表，"
        f'如 folder = "{folders[0]}"、order = 1',
        f"the order of these volumes is not known: {', '.join(folders)}; give each a [[volume]] table in work.toml, "
        f'such as folder = "{folders[0]}" and order = 1',
    )


def _page_message(keys: Sequence[str]) -> LocalizedText:
    return LocalizedText(
        f"无法判断各页的先后：{'、'.join(keys)}；请用数字命名，或在 work.toml 中为每页写一个 [[page]] 表，"
        f'如 file = "{keys[0]}"、order = 1',
        f"the order of these pages is not known: {', '.join(keys)}; name them by numbers, or give each a [[page]] "
        f'table in work.toml, such as file = "{keys[0]}" and order = 1',
    )
