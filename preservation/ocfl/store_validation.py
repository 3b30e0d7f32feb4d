"""Validate a whole OCFL storage root: its own files, files outside objects, and every object in it.

The store is listed twice, in bounded memory: `survey_store` adds up sizes and collects the storage root's own files;
`validate_store` then validates the objects, in the order of their keys. An object that is damaged, misplaced or
unreadable is reported and does not stop the others. An object that changes while it is validated is validated again.

Objects are expected in the layout of `ocfl/layout.py`; an object elsewhere is found by its declaration, validated, and
reported as misplaced. Files directly in the storage root are ignored unless OCFL defines them (E087).
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import Any, Final

from preservation.ocfl.layout import (
    EXTENSIONS,
    LAYOUT_CONFIG,
    LAYOUT_CONFIG_FILE,
    LAYOUT_EXTENSION,
    LAYOUT_FILE,
    folder_identifier,
    layout_path,
    object_folder,
)
from preservation.ocfl.validation import ValidationResult, validate_object
from preservation.ocfl.validation_rules import (
    SPECIFICATIONS,
    UNREADABLE,
    RuleFinding,
    check_extension_path,
    is_registered_extension,
)
from preservation.progress import OnProgress, ignore_progress
from repository.errors import KeyNotFound, StoreFault
from repository.paths import OCFL_ROOT
from repository.storage.content import StoredObject
from repository.storage.store import ObjectStore

_CONCURRENT_OBJECTS: Final = 4
_PREFIX: Final = f"{OCFL_ROOT}/"
_DECLARATION: Final = re.compile(r"0=ocfl_(.+)")
_OBJECT_DECLARATION: Final = re.compile(r"0=ocfl_object_.+")


@dataclass(frozen=True, slots=True)
class StoreSurvey:
    """The listing of a storage root: files and bytes in it, and the paths of its own files and extensions."""

    files: int
    bytes: int
    root_files: tuple[str, ...]

    @property
    def specification(self) -> str | None:
        """The newest known OCFL version that the storage root declares; None when it declares none."""
        versions = [match[1] for path in self.root_files if (match := _DECLARATION.fullmatch(path))]
        return max((version for version in versions if version in SPECIFICATIONS), default=None)


@dataclass(frozen=True, slots=True)
class ValidatedPart:
    """The result for one part of a storage root: an object, or ('' as `path`) the storage root itself.

    `path` is the object's folder below the storage root, `identifier` its OCFL identifier as far as it is known.
    """

    path: str
    identifier: str
    result: ValidationResult

    @property
    def is_object(self) -> bool:
        """Whether the part is an object."""
        return bool(self.path)

    def key(self, finding: RuleFinding) -> str:
        """Return the store key that a finding is about."""
        return "/".join(part for part in (OCFL_ROOT, self.path, finding.where) if part)


def survey_store(store: ObjectStore) -> StoreSurvey:
    """List the storage root once. Raises `StoreFault`."""
    files = size = 0
    root_files = []
    for stored in store.list(OCFL_ROOT):
        files += 1
        size += stored.size
        path = stored.key.removeprefix(_PREFIX)
        if "/" not in path or path.startswith(f"{EXTENSIONS}/"):
            root_files.append(path)
    return StoreSurvey(files, size, tuple(root_files))


def validate_store(
    store: ObjectStore, survey: StoreSurvey, on_progress: OnProgress = ignore_progress
) -> Iterator[ValidatedPart]:
    """Yield the result for the storage root, then one for every object and every file outside objects.

    Several objects are validated concurrently, results come in the order of keys. `on_progress` gets `survey.bytes` in
    total, from one thread at a time. Raises `StoreFault` when the store can no longer be listed.
    """
    yield _root_part(list(_check_root(store, survey)))
    progress = _SharedProgress(on_progress)
    with ThreadPoolExecutor(_CONCURRENT_OBJECTS) as threads:
        pending: deque[Future[ValidatedPart | None]] = deque()
        try:
            for validation in _validations(store, survey, progress):
                pending.append(threads.submit(validation))
                if len(pending) > _CONCURRENT_OBJECTS:
                    yield from filter(None, [pending.popleft().result()])
            while pending:
                yield from filter(None, [pending.popleft().result()])
        finally:
            progress.stop()
            for future in pending:
                future.cancel()


def _validations(
    store: ObjectStore, survey: StoreSurvey, on_progress: OnProgress
) -> Iterator[Callable[[], ValidatedPart | None]]:
    """Yield a call for each object and each file outside objects, in the order of their keys."""
    for folder, listed in groupby(store.list(OCFL_ROOT), ObjectFolders()):
        if folder is not None:
            yield partial(_validate_folder, store, survey, folder, list(listed), on_progress)
            continue
        for stored in listed:
            on_progress(stored.size)
            path = stored.key.removeprefix(_PREFIX)
            if "/" in path and not path.startswith(f"{EXTENSIONS}/"):
                yield partial(_root_part, [RuleFinding("E072", path)])


class _SharedProgress:
    """Reports the progress of several threads one at a time; ends them when the validation has been stopped."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, amount: int) -> None:
        """Report bytes. Raises `CancelledError` after `stop`."""
        with self._lock:
            if self._stopped:
                raise CancelledError
            self._on_progress(amount)

    def stop(self) -> None:
        """End the threads at their next report."""
        self._stopped = True


class ObjectFolders:
    """Assigns each file of a listing, in the order of keys, to the folder of its object."""

    def __init__(self) -> None:
        self._folder: str | None = None

    def __call__(self, stored: StoredObject) -> str | None:
        """Return the object folder of a file, by the layout or by a declaration elsewhere; None outside objects."""
        path = stored.key.removeprefix(_PREFIX)
        if self._folder is None or not path.startswith(f"{self._folder}/"):
            self._folder = None if path.startswith(f"{EXTENSIONS}/") else object_folder(path) or _declared_folder(path)
        return self._folder


def _declared_folder(path: str) -> str | None:
    """Return the folder that an object declaration marks as an object; None for any other file."""
    folder, _, name = path.rpartition("/")
    return folder if folder and _OBJECT_DECLARATION.fullmatch(name) else None


def _validate_folder(
    store: ObjectStore, survey: StoreSurvey, folder: str, listed: list[StoredObject], on_progress: OnProgress
) -> ValidatedPart | None:
    """Validate the object in a folder; return None when it has been removed since it was listed."""
    root = f"{_PREFIX}{folder}"
    remaining = sum(stored.size for stored in listed)

    def report(amount: int) -> None:
        nonlocal remaining
        remaining -= amount
        on_progress(amount)

    result = validate_object(store, root, _paths(root, listed), report)
    on_progress(remaining)
    if not result.valid:
        current = _list_again(store, root, listed)
        if not current:
            return None
        if current != listed:  # a version was written meanwhile
            result = validate_object(store, root, _paths(root, current))
    placement = tuple(_check_placement(survey, folder, result))
    identifier = result.identifier or folder_identifier(folder) or folder
    result = ValidationResult((*result.errors, *placement), result.warnings, result.identifier, result.specification)
    return ValidatedPart(folder, identifier, result)


def _paths(root: str, listed: list[StoredObject]) -> list[str]:
    return [stored.key.removeprefix(f"{root}/") for stored in listed]


def _list_again(store: ObjectStore, root: str, listed: list[StoredObject]) -> list[StoredObject]:
    """List an object again; return what was `listed` for a folder whose name cannot be a key.

    Raises `StoreFault` when the store as a whole is unreachable.
    """
    try:
        return list(store.list(root))
    except StoreFault:
        _require_reachable(store)
        return listed


def _require_reachable(store: ObjectStore) -> None:
    """Raise `StoreFault` when the store as a whole is unreachable, and not only some of its files."""
    next(iter(store.list(OCFL_ROOT)), None)


def _check_placement(survey: StoreSurvey, folder: str, result: ValidationResult) -> Iterator[RuleFinding]:
    if result.identifier is not None and layout_path(result.identifier) != folder:
        yield RuleFinding("E083", "", layout_path(result.identifier))
    if result.specification and survey.specification and result.specification > survey.specification:
        yield RuleFinding("E081", "", f"{result.specification} > {survey.specification}")


def _root_part(findings: list[RuleFinding]) -> ValidatedPart:
    errors = tuple(finding for finding in findings if not finding.is_warning)
    return ValidatedPart("", "", ValidationResult(errors, tuple(finding for finding in findings if finding.is_warning)))


def _check_root(store: ObjectStore, survey: StoreSurvey) -> Iterator[RuleFinding]:
    if not survey.files and next(iter(store.list()), None) is None:
        return  # an empty store, not one that lost its storage root
    checks = chain(_check_declaration(store, survey), _check_extensions(survey), _check_layout(store, survey))
    yield from dict.fromkeys(checks)


def _check_declaration(store: ObjectStore, survey: StoreSurvey) -> Iterator[RuleFinding]:
    declarations = [path for path in survey.root_files if path.startswith("0=")]
    if not declarations:
        yield RuleFinding("E069", "")
    if len(declarations) > 1:
        yield RuleFinding("E076", "", ", ".join(declarations))
    for path in declarations:
        match = _DECLARATION.fullmatch(path)
        if not match or match[1] not in SPECIFICATIONS:
            yield RuleFinding("E079", path)
        content = yield from _read(store, path)
        if content is not None and content != f"{path[2:]}\n".encode():
            yield RuleFinding("E080", path)


def _check_extensions(survey: StoreSurvey) -> Iterator[RuleFinding]:
    for path in survey.root_files:
        if path.startswith(f"{EXTENSIONS}/"):
            yield from check_extension_path(path, stray="E112", unregistered="W016")


def _check_layout(store: ObjectStore, survey: StoreSurvey) -> Iterator[RuleFinding]:
    if LAYOUT_FILE in survey.root_files:
        content = yield from _read(store, LAYOUT_FILE)
        if content is not None:
            yield from _check_layout_file(_parse(content))
    if LAYOUT_CONFIG_FILE in survey.root_files:
        content = yield from _read(store, LAYOUT_CONFIG_FILE)
        if content is not None and not _is_own_config(_parse(content)):
            yield RuleFinding("E071", LAYOUT_CONFIG_FILE, variant="config")


def _check_layout_file(values: Any) -> Iterator[RuleFinding]:
    keys = ("extension", "description")
    if not isinstance(values, dict) or not all(isinstance(values.get(key), str) for key in keys):
        yield RuleFinding("E070", LAYOUT_FILE)
    elif not is_registered_extension(values["extension"]):
        yield RuleFinding("E071", LAYOUT_FILE, values["extension"])
    elif values["extension"] != LAYOUT_EXTENSION:
        yield RuleFinding("E071", LAYOUT_FILE, values["extension"], "other")


def _is_own_config(values: Any) -> bool:
    """Return whether parameters of the layout extension are this repository's; omitted ones have these as defaults."""
    return isinstance(values, dict) and {**LAYOUT_CONFIG, **values} == LAYOUT_CONFIG


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _read(store: ObjectStore, path: str) -> Generator[RuleFinding, None, bytes | None]:
    """Return a file of the storage root; yield a finding and return None when it cannot be read."""
    try:
        return store.read(f"{_PREFIX}{path}")
    except KeyNotFound:
        return None
    except StoreFault as fault:
        _require_reachable(store)
        yield RuleFinding(UNREADABLE, path, str(fault.details.get("reason", "")))
        return None
