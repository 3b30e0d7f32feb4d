"""Makes text from outside safe for what interprets characters: terminals and log files. (pure)

Names of files, addresses and messages of decoders may contain characters that end a line, start an escape sequence of
a terminal or reverse the order of a text. Each outlet calls this module: the terminal (`web/cli/terminal.py`), the logs
of processes (`repository/logs.py`) and the request log (`web/telemetry/request_log.py`). Headers of responses are
checked by uvicorn, which sends none with a control character.

Source: ECMA-48 for C0 and C1 controls; Unicode Standard Annex 9 for bidirectional controls (CVE-2021-42574).
"""

from __future__ import annotations

import re
from typing import Final

_CONTROLS: Final = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSAFE: Final = re.compile(f"[{_CONTROLS}]")
_UNSAFE_IN_LINES: Final = re.compile(f"(?!\n)[{_CONTROLS}]")


def printable(text: str) -> str:
    """Return the text in one line, with the escape sequence of JSON for every control character."""
    return _UNSAFE.sub(_escaped, text)


def printable_lines(text: str) -> str:
    """Do the same, and keep line feeds: for texts of our own with several lines, such as tracebacks."""
    return _UNSAFE_IN_LINES.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
