"""The compiled templates and routes that all Flask applications of a test process share.

Each application of Flask compiles its routes when it is made, and a template when it is first rendered. Tests make
hundreds of applications with the same routes and templates: without this, two thirds of the processor time of their
requests go into compiling them again.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any, ClassVar

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule


def share_compiled() -> None:
    """Let all applications made from now on share what they compile."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _MemoryCache()}
    Flask.url_rule_class = _SharedRule


class _MemoryCache(BytecodeCache):
    """Keeps compiled templates in memory. The key of a bucket has the name and file of a template."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._compiled[bucket.key, bucket.checksum] = bucket.code


class _SharedRule(Rule):
    """A route whose functions that build URLs are compiled once. They are given the route that they build for."""

    _builders: ClassVar[dict[tuple[Any, ...], Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        # Values by default are converted when they are compiled.
        defaults = tuple(
            (name, value, type(self._converters.get(name))) for name, value in (self.defaults or {}).items()
        )
        key = (self.rule, tuple(self._trace), defaults, append_unknown)
        if key not in self._builders:
            self._builders[key] = super()._compile_builder(append_unknown)
        return self._builders[key]
