"""The IIIF validator 1.0.5, patched where it cannot run, or applies a check to the wrong version.

Run it in place of ``iiif-validate.py``, with the same arguments. Only this differs:

- its tests of formats call ``urllib.urlopen``, which Python 3 lacks (no server could pass those of jp2 and pdf), and
  compare bytes with text;
- it uses `magic` as in the package filemagic, but depends on python-magic, whose interface differs;
- for version 2.1 it has one test, and asks for the quality ``native``, which ended with version 1.1. Here 2.1 has every
  test of 2.0, with the requests of 2.0, and that one in addition.
"""

from __future__ import annotations

import runpy
import sys
import urllib
import urllib.request
from types import SimpleNamespace, TracebackType
from typing import Any

import magic
from iiif_validator.tests import format_jp2, format_pdf
from iiif_validator.tests.test import BaseTest
from iiif_validator.validator import ImageAPI


class TextResponse:
    """A response whose body is text, one character for each byte."""

    def __init__(self, address: str) -> None:
        self._response = urllib.request.urlopen(address, timeout=20)

    def read(self) -> str:
        """Return the body."""
        body: bytes = self._response.read()
        return body.decode("latin-1")

    def close(self) -> None:
        """Close the connection."""
        self._response.close()

    def getcode(self) -> int:
        """Return the status."""
        status: int = self._response.status
        return status


class FilemagicMagic:
    """`magic.Magic` with the interface of filemagic."""

    def __enter__(self) -> FilemagicMagic:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: there is nothing to release."""

    @staticmethod
    def id_buffer(text: str) -> str:
        """Return libmagic's description of the content."""
        description: str = magic.from_buffer(text.encode("latin-1"))
        return description


def patch() -> None:
    """Replace the parts of the validator that are listed above."""
    urllib.urlopen = TextResponse  # type: ignore[attr-defined]
    for module in (format_jp2, format_pdf):
        module.magic = SimpleNamespace(Magic=FilemagicMagic)
    kinds, make_url = BaseTest.__subclasses__(), ImageAPI.make_url
    for kind in kinds:
        if "2.0" in kind.versions and "2.1" not in kind.versions:
            kind.versions = [*kind.versions, "2.1"]
            if isinstance(kind.level, dict):
                kind.level = {**kind.level, "2.1": kind.level["2.0"]}

    def make_url_as_2_0(self: Any, params: dict[str, str] | None = None) -> str:
        version, self.version = self.version, self.version.replace("2.1", "2.0")
        try:
            url: str = make_url(self, {} if params is None else params)
        finally:
            self.version = version
        return url

    ImageAPI.make_url = make_url_as_2_0


if __name__ == "__main__":
    patch()
    program = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_path(program, run_name="__main__")
