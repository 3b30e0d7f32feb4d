"""Draws the charts of a report as SVG by matplotlib: the same report gives the same bytes.

matplotlib takes a second of the processor to load and keeps state in the process, so web processes do not load it: they
have a child process draw (`ChartDrawer`). Each chart shows a table of the report, which says the same without pictures.
Text stays text: the reader's fonts show it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from preservation.reporting.growth import growth_of
from preservation.reporting.report import (
    PreservationReport,
    ReportedCadence,
    ReportedCondition,
    report_of_json,
    report_to_json,
)
from repository.errors import DependencyMissing
from repository.localized import Language, LocalizedText
from repository.model.condition import DAMAGE_GRADES, SEVERE
from repository.store_label import store_label
from web.messages.interface import translate

_SECONDS: Final = 60.0
_MOST_KEPT: Final = 16
CHART_WIDTH: Final = 720
"""The width of every chart, in pixels."""

_PIXELS: Final = 100
"""The pixels of an inch, in which matplotlib measures."""

_MOST_DAYS: Final = 6
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
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

        size = CHART_WIDTH / _PIXELS, chart_height(name, report) / _PIXELS
        figure = Figure(figsize=size, layout="tight")
        CHARTS[name](figure.subplots(), report, language)
        drawn = io.BytesIO()
        metadata = {"Date": None, "Title": translate(language, f"chart.{name}")}
        figure.savefig(drawn, format="svg", metadata=metadata, transparent=True)
    return drawn.getvalue()


def chart_height(name: str, report: PreservationReport) -> int:
    """Return the height of a chart in pixels, at the width of `CHART_WIDTH`."""
    bars = {"checked": len(report.places) + 1, "damage": len(report.condition.damage) + 1}
    return 90 + 32 * bars[name] if name in bars else 240


def _growth(axes: Any, report: PreservationReport, language: Language) -> None:
    months = growth_of(report)
    unit, divisor = _unit(max((month.total for month in months), default=0))
    totals = [month.total / divisor for month in months]
    axes.bar(range(len(months)), totals, color=_STONE, width=0.8)
    axes.set_xlim(-0.6, max(11, len(months) - 1) + 0.6)
    _label(axes, range(len(months)), [month.month for month in months])
    axes.set_ylabel(unit)


def _due(axes: Any, report: PreservationReport, language: Language) -> None:
    days = [date.fromisoformat(day.day) for day in report.due]
    places = [(day - days[0]).days for day in days]
    last = max(29, places[-1])
    unit, divisor = _unit(max(day.bytes for day in report.due))
    axes.bar(places, [day.bytes / divisor for day in report.due], color=_STONE, width=0.8)
    axes.set_xlim(-0.6, last + 0.6)
    weeks = -(-(last + 1) // (7 * _MOST_DAYS))
    labelled = range(0, last + 1, 7 * weeks)
    axes.set_xticks(labelled, _day_labels([days[0] + timedelta(days=place) for place in labelled], language))
    axes.set_ylabel(unit)


def _day_labels(days: Sequence[date], language: Language) -> list[str]:
    """Return short labels of days; the first day of each year has the year below it."""
    years = [None, *(day.year for day in days)]
    return [
        translate(language, "chart.day", day=day.day, month=LocalizedText(str(day.month), _MONTHS[day.month - 1]))
        + (f"\n{day.year}" if day.year != before else "")
        for day, before in zip(days, years, strict=False)
    ]


def _unit(largest: int) -> tuple[str, float]:
    """Return the decimal unit in which a number of bytes is at least 1, and its size."""
    power = next((power for power in range(5, 0, -1) if largest >= 1000**power), 0)
    return ("B", "kB", "MB", "GB", "TB", "PB")[power], 1000.0**power


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


def _label(axes: Any, places: Sequence[int], labels: Sequence[str]) -> None:
    """Label at most eight places of the horizontal axis."""
    step = max(1, -(-len(labels) // 8))
    axes.set_xticks(places[::step], labels[::step])


CHARTS: Final[dict[str, Callable[[Any, PreservationReport, Language], None]]] = {
    "growth": _growth,
    "due": _due,
    "checked": _checked,
    "damage": _damage,
}
"""How each chart is drawn, by its name."""


class ChartDrawer:
    """Has charts drawn by a child process, one at a time, and keeps the last ones; safe to use from several threads.

    A child draws all charts of a report, because it takes longer to start than to draw. It keeps the list of fonts of
    this machine in the folder `cache`, as it may have no home in which matplotlib could.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._kept: OrderedDict[tuple[str, bytes], Mapping[str, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def draw(self, name: str, report: PreservationReport, language: Language) -> bytes:
        """Return a chart as SVG.

        Raises `KeyError` for a chart that the report does not have, `DependencyMissing` if none can be drawn here.
        """
        document = report_to_json(_drawn_part(report))
        key = language.value, sha256(document).digest()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _draw_in_child(document, language, self._cache)
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key][name]


def chart_names(report: PreservationReport) -> list[str]:
    """Return the names of the charts that a report has data for."""
    shown = {
        "growth": report.months,
        "due": report.due,
        "checked": report.preserved_checks,
        "damage": report.condition.damage,
    }
    return [name for name, data in shown.items() if data]


def _drawn_part(report: PreservationReport) -> PreservationReport:
    """Return what charts show of a report, so that they are not drawn again because something else has changed."""
    return PreservationReport(
        at=f"{report.at[:10]}T00:00:00Z",
        library="",
        software="",
        works=0,
        images=0,
        bytes=0,
        cadence=ReportedCadence(0),
        months=report.months,
        places=report.places,
        checks=report.checks,
        due=report.due,
        condition=ReportedCondition(damage=report.condition.damage),
    )


def _draw_in_child(document: bytes, language: Language, cache: Path) -> Mapping[str, bytes]:
    command = [sys.executable, "-m", "web.reports.charts", language.value, str(cache / "matplotlib")]
    try:
        done = subprocess.run(command, input=document, capture_output=True, timeout=_SECONDS, check=True)  # noqa: S603
        drawn = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as fault:
        what = LocalizedText("绘图程序（matplotlib）", "the program that draws charts (matplotlib)")
        remedy = LocalizedText("请重新安装 Python 软件包", "install the Python packages again")
        raise DependencyMissing(what=what, remedy=remedy) from fault
    return {name: chart.encode() for name, chart in drawn.items()}


def main(language: str, cache: str) -> None:
    """Draw the charts of the report on standard input, to standard output as JSON. `cache` keeps the list of fonts."""
    os.environ["MPLCONFIGDIR"] = cache
    report = report_of_json(sys.stdin.buffer.read())
    drawn = {name: draw_chart(name, report, Language(language)).decode() for name in chart_names(report)}
    json.dump(drawn, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
