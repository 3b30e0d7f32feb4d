"""`make bench`: runs every measurement beside this file, prints one table, and writes docs/benchmarks.md.

A measurement is a script that stands alone. On standard output it prints one row for each figure, its cells parted by
`` | ``: what, measured on what, ours, against what in the same run, result. What else it has to say goes to standard
error. Named on the command line (``python tests/bench/run.py manifest``), a choice of scripts is run and only printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PROJECT: Final = HERE.parents[1]
PAGE: Final = PROJECT / "docs" / "benchmarks.md"
HEADINGS: Final = ("what", "measured on", "ours", "against, in the same run", "result", "to reach")
TO_REACH: Final = {
    "tiles,": "0.40 of nginx",
    "tile rate against iipsrv": "10 times, 256 px",
    "tile p99": "below iipsrv's",
    "tiles through the edge": "0.8 of static files",
    "304 answers": "above the tile rate",
    "CPU ms a tile": "stated",
    "random regions": "2 times iipsrv",
    "S3, cold cache": "0.6",
    "S3, disk cache": "0.9",
    "full/max": "300 MB more, 1 s to the first byte",
    "start to first tile": "2 s",
    "ingest, JPEG": "stated",
    "ingest": "at most 1.2 times",
    "memory": "600 MB tall, 2 GB long",
    "log": "3,000 a second",
    "evidence, made and checked": "5 ms",
    "evidence, size": "under 4 kB",
    "fixity, two processes": "1.7 times one",
    "fixity, S3": "0.8",
    "fixity, false findings": "0",
    "fixity, planted faults": "100% found and repaired",
    "fixity": "0.8, and 0.3 of small files",
    "manifest, built": "under 3 s",
    "manifest, served": "p95 5 ms",
    "PDF of a work, first byte": "1 s",
    "PDF of a work, memory": "300 MB more",
    "page of a picture, precision": "0.99",
    "page of a picture, recall": "0.95",
    "search, build": "500 leaves/s",
    "search, index": "6 times the text",
    "search, one changed work found": "5 s",
    "search,": "p95 150 ms",
    "demo": "3 minutes",
    "pages a minute": "1.8 times one worker",
    "queue, a page": "under 10 ms",
    "catalogue": "within 2 times",
    "/preservation": "300 ms",
    "OAI-PMH": "500 records/s, flat memory",
}
"""What the project asks of a figure, by how its row begins."""

Row = list[str]


def main() -> int:
    """Run, print, write. The exit code is 1 when a script failed."""
    scripts = {path.stem: path for path in sorted(HERE.glob("*.py")) if path != Path(__file__)}
    parser = argparse.ArgumentParser(description="Measure, and write docs/benchmarks.md when all is measured.")
    parser.add_argument("scripts", nargs="*", help=f"which to run; all by default: {', '.join(scripts)}")
    chosen = parser.parse_args().scripts or list(scripts)
    if unknown := [name for name in chosen if name not in scripts]:
        parser.error(f"no such measurement: {', '.join(unknown)}")
    results = [_measure(scripts[name]) for name in chosen]
    table = _table([row for rows in results for row in rows])
    print(table)
    failed = [name for name, rows in zip(chosen, results, strict=True) if not rows]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    elif len(chosen) == len(scripts):
        PAGE.write_text(_page(table), encoding="utf-8")
    return 1 if failed else 0


def _measure(script: Path) -> list[Row]:
    """The rows of one script; none when it failed, whose last words are then on standard error."""
    print(f"{script.stem} ...", file=sys.stderr, flush=True)
    # Some measurements start the servers that the tests start.
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "tests" / "support")}
    done = subprocess.run(
        [sys.executable, script], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        return []
    return [line.split(" | ") for line in done.stdout.splitlines() if " | " in line]


def _table(rows: list[Row]) -> str:
    """A Markdown table, its columns aligned for the terminal too."""
    full = [_full(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(HEADINGS, *full, strict=True)]
    lines = [list(HEADINGS), ["-" * width for width in widths], *full]
    return "\n".join(f"| {' | '.join(c.ljust(w) for c, w in zip(line, widths, strict=True))} |" for line in lines)


def _full(row: Row) -> Row:
    """A row of five cells and what is to be reached."""
    cells = [cell.strip() for cell in row[:5]]
    to_reach = next((words for name, words in TO_REACH.items() if row[0].startswith(name)), "")
    return [*cells, *[""] * (5 - len(cells)), to_reach]


def _page(table: str) -> str:
    return f"""# Benchmarks

`make bench` writes this page. Every comparison is with the software named, on this machine, in the same run. A ratio is
the median of the ratios of all turns, in each of which both were measured; the smallest and the largest are in
parentheses.

{_machine()}

{table}
"""


def _machine() -> str:
    lines = {
        "Measured": f"{datetime.now(UTC):%Y-%m-%d}, at {_first_line('git', 'describe', '--always', '--dirty')}",
        "Processor": f"{_value('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "Memory": f"{int(_value('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB",
        "System": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "Scratch folder on": _first_line("stat", "--file-system", "--format=%T", os.environ.get("TMPDIR", "/tmp")),
        "Python": platform.python_version(),
    }
    return "\n".join(f"- {name}: {value}" for name, value in lines.items())


def _value(file: str, name: str) -> str:
    """The first value under a name in one of Linux's lists of ``name : value``."""
    lines = Path(file).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "0")


def _first_line(*command: str) -> str:
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
