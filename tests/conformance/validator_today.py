"""The IIIF validator 1.0.5 with the four places mended where it cannot run, or asks a thing of another version.

It is run in the place of ``iiif-validate.py``, with its arguments. Its checks are its own; only this is changed:

- its format tests call ``urllib.urlopen``, which Python 3 does not have (those of jp2 and pdf could not pass for
  anybody), and compare bytes with text;
- it uses `magic` as the package filemagic has it, and depends on python-magic, which has it otherwise;
- of version 2.1 it knows one test, and asks for quality ``native``, which ended with version 1.1. Here 2.1 has every
  test of 2.0, asked for as in 2.0, and that one besides.
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


class AsText:
    """What a server answered, its bytes as characters."""

    def __init__(self, address: str) -> None:
        self._answer = urllib.request.urlopen(address, timeout=20)

    def read(self) -> str:
        """The body, a character a byte."""
        body: bytes = self._answer.read()
        return body.decode("latin-1")

    def close(self) -> None:
        """The connection ends."""
        self._answer.close()

    def getcode(self) -> int:
        """The status."""
        status: int = self._answer.status
        return status


class AsFilemagic:
    """`magic.Magic` as filemagic has it."""

    def __enter__(self) -> AsFilemagic:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    @staticmethod
    def id_buffer(text: str) -> str:
        """What libmagic says of the content."""
        said: str = magic.from_buffer(text.encode("latin-1"))
        return said


def mend() -> None:
    """Put the mended places into the validator."""
    urllib.urlopen = AsText  # type: ignore[attr-defined]
    for module in (format_jp2, format_pdf):
        module.magic = SimpleNamespace(Magic=AsFilemagic)
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
    mend()
    program = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_path(program, run_name="__main__")
