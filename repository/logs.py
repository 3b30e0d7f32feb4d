"""The logs of processes, on standard error: one format, in which text from outside cannot forge a line.

Every process that serves or works calls `log_to_stderr`, or gives `log_configuration` to uvicorn.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

from repository.printable import printable, printable_lines

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_INDENT: Final = "    "


class PrintableFormatter(logging.Formatter):
    """Writes a record in one line, without control characters; a traceback follows in indented lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [printable(self.formatMessage(record))]
        if record.exc_info:
            lines += printable_lines(self.formatException(record.exc_info)).split("\n")
        if record.stack_info:
            lines += printable_lines(self.formatStack(record.stack_info)).split("\n")
        return f"\n{_INDENT}".join(lines)


def log_to_stderr(level: int = logging.WARNING, line: str = FORMAT, *, replace: bool = False) -> None:
    """Write the process's log to standard error; `replace` handlers that exist, or else leave the log to them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter(line))
    logging.basicConfig(level=level, handlers=[handler], force=replace)


def log_configuration() -> dict[str, Any]:
    """Return the same for `logging.config.dictConfig`, which uvicorn calls in each process that it starts."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"printable": {"()": PrintableFormatter, "fmt": FORMAT}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "printable"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
    }
