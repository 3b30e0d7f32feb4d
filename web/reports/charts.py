"""Draws the charts of a report as SVG by matplotlib: the same report gives the same bytes.

matplotlib takes a second of the processor to load and keeps state in the process, so web processes do not load it: they
have a child process draw (`ChartDrawer`). Each chart shows a table of the report, which says the same without pictures.
Text stays text: the reader's fonts show it.
"""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from preservation.reporting.growth import growth_of
from preservation.reporting.report import PreservationReport, report_of_json, report_to_json
from repository.condition import DAMAGE_GRADES, SEVERE
from repository.errors import DependencyMissing
from repository.localized import Language, LocalizedText
from web.messages.interface import translate
from web.operations.formatting import store_label

_SECONDS: Final = 60.0
_MOST_KEPT: Final = 64
_INK, _SOFT, _SEAL, _STONE = "#2b2622", "#8a8178", "#a03228", "#5d7a78"
_SETTINGS: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "shanben",
    "font.family": ["Noto Sans CJK SC", "Noto Serif CJK SC", "DejaVu Sans"],
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.parse_math": False,
}


def draw_chart(name: str, report: PreservationReport, language: Language) -> bytes:
    """Return a chart as SVG. Raises `KeyError` for a name that is not in `CHARTS`."""
    import matplotlib as mpl  # noqa: PLC0415 - only where charts are drawn

    # Fonts are those of the reader: what this machine lacks is no fault.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.CRITICAL)
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        from matplotlib.figure import Figure  # noqa: PLC0415

        bars = {"checked": len(report.places) + 1, "damage": len(report.condition.damage) + 1}
        height = 0.9 + 0.32 * bars[name] if name in bars else 2.4
        figure = Figure(figsize=(7.2, height), layout="tight")
        CHARTS[name](figure.subplots(), report, language)
        drawn = io.BytesIO()
        metadata = {"Date": None, "Title": translate(language, f"chart.{name}")}
        figure.savefig(drawn, format="svg", metadata=metadata, transparent=True)
    return drawn.getvalue()


def _growth(axes: Any, report: PreservationReport, language: Language) -> None:
    months = growth_of(report)
    axes.fill_between(range(len(months)), [month.total / 1e12 for month in months], color=_STONE, alpha=0.35, lw=0)
    axes.plot(range(len(months)), [month.total / 1e12 for month in months], color=_STONE, lw=2)
    _label_days(axes, [month.month for month in months])
    axes.set_ylim(bottom=0)
    axes.set_ylabel(translate(language, "chart.terabytes"))


def _due(axes: Any, report: PreservationReport, language: Language) -> None:
    axes.bar(range(len(report.due)), [day.bytes / 1e9 for day in report.due], color=_STONE, width=0.8)
    axes.set_xlim(-0.6, max(29, len(report.due)) - 0.4)
    _label_days(axes, [day.day for day in report.due])
    axes.set_ylabel(translate(language, "chart.gigabytes"))


def _checked(axes: Any, report: PreservationReport, language: Language) -> None:
    stores = list(dict.fromkeys(check.store for check in report.preserved_checks))
    totals = []
    for store in stores:
        checks = [check for check in report.preserved_checks if check.store == store]
        never, bad = sum(check.never for check in checks), sum(check.failed + check.not_checked for check in checks)
        totals.append((sum(check.files for check in checks) - never - bad, never, bad))
    left = [0] * len(stores)
    for place, (key, colour) in enumerate((("checked", _STONE), ("never", _SOFT), ("failed", _SEAL))):
        widths = [total[place] for total in totals]
        axes.barh(
            range(len(stores)),
            widths,
            left=left,
            color=colour,
            height=0.6,
            label=translate(language, f"chart.{key}-files"),
        )
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(stores)), [store_label(store) for store in stores])
    axes.invert_yaxis()
    axes.set_xlabel(translate(language, "chart.files"))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)


def _damage(axes: Any, report: PreservationReport, language: Language) -> None:
    counts = report.condition.damage
    names = [DAMAGE_GRADES[each.grade].in_language(language) for each in counts]
    colours = [_SEAL if each.grade in SEVERE else _STONE for each in counts]
    axes.barh(range(len(counts)), [each.count for each in counts], color=colours, height=0.6)
    axes.set_yticks(range(len(counts)), names)
    axes.invert_yaxis()
    axes.set_xlabel(translate(language, "chart.count"))
    axes.xaxis.get_major_locator().set_params(integer=True)


def _label_days(axes: Any, labels: list[str]) -> None:
    """Label at most eight places of the horizontal axis."""
    step = max(1, -(-len(labels) // 8))
    axes.set_xticks(range(0, len(labels), step), labels[::step])


CHARTS: Final[dict[str, Callable[[Any, PreservationReport, Language], None]]] = {
    "growth": _growth,
    "due": _due,
    "checked": _checked,
    "damage": _damage,
}
"""How each chart is drawn, by its name."""


class ChartDrawer:
    """Has charts drawn by a child process, one at a time, and keeps the last ones; safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def draw(self, name: str, report: PreservationReport, language: Language) -> bytes:
        """Return a chart as SVG. Raises `KeyError` for an unknown name, `DependencyMissing` if it cannot be drawn."""
        if name not in CHARTS:
            raise KeyError(name)
        document = report_to_json(report)
        key = name, language.value, sha256(document).hexdigest()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _draw_in_child(name, document, language)
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


def _draw_in_child(name: str, document: bytes, language: Language) -> bytes:
    command = [sys.executable, "-m", "web.reports.charts", name, language.value]
    try:
        done = subprocess.run(command, input=document, capture_output=True, timeout=_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as fault:
        what = LocalizedText("绘图程序（matplotlib）", "the program that draws charts (matplotlib)")
        remedy = LocalizedText("请重新安装 Python 软件包", "install the Python packages again")
        raise DependencyMissing(what=what, remedy=remedy) from fault
    return done.stdout


def main(arguments: list[str]) -> None:
    """Draw the chart of this name and language of the report on standard input, to standard output."""
    name, language = arguments
    report = report_of_json(sys.stdin.buffer.read())
    sys.stdout.buffer.write(draw_chart(name, report, Language(language)))


if __name__ == "__main__":
    main(sys.argv[1:])
