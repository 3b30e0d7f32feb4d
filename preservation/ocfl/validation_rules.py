"""The rules of OCFL 1.0 and 1.1 that apply to an inventory by itself, written by any program. (pure)

The codes are the specification's validation codes: ``E...`` for a violated MUST, ``W...`` for a violated SHOULD.
`ocfl/validation.py` adds the rules that need the object's files, `ocfl/store_validation.py` those of a storage root.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

Json = Mapping[str, Any]

SPECIFICATIONS: Final = ("1.0", "1.1")
ALGORITHMS: Final = ("sha512", "sha256")
# Nine digits at most: longer names are damage, and Python refuses to convert thousands of digits.
VERSION_NAME: Final = re.compile(r"v(0*)([1-9][0-9]{0,8})", re.ASCII)
_TYPE: Final = "https://ocfl.io/{}/spec/#inventory"
_KEYS: Final = {"id", "type", "digestAlgorithm", "head", "contentDirectory", "manifest", "versions", "fixity"}
_TIME: Final = re.compile(
    r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", re.ASCII)
_REGISTERED: Final = re.compile(r"(000[1-9]|001[0-2])-[a-z0-9-]+", re.ASCII)
UNREADABLE: Final = "unreadable"
"""The code of a file that the store cannot read. It is not OCFL's: the specification has none for that."""


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """A violated rule: its code, the path at fault, and details as data. `variant` selects a more precise message."""

    code: str
    where: str
    detail: str = ""
    variant: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether the rule is a recommendation (SHOULD)."""
        return self.code.startswith("W")


def check_extension_path(path: str, *, stray: str, unregistered: str) -> Iterator[RuleFinding]:
    """Check a file below ``extensions/``: the code `stray` for a file directly in it, or else `unregistered`."""
    _, name, *below = path.split("/")
    if not below:
        yield RuleFinding(stray, path)
    elif not is_registered_extension(name):
        yield RuleFinding(unregistered, f"extensions/{name}")


def is_registered_extension(name: object) -> bool:
    """Return whether a name has the form of a registered OCFL extension name."""
    return isinstance(name, str) and _REGISTERED.fullmatch(name) is not None


def specification_of(values: Json) -> str | None:
    """Return the OCFL version that an inventory states; None for an unknown one."""
    return next((name for name in SPECIFICATIONS if values.get("type") == _TYPE.format(name)), None)


def check_inventory(values: Any, where: str) -> list[RuleFinding]:
    """Return every rule that a parsed inventory violates."""
    if not isinstance(values, dict):
        return [RuleFinding("E033", where)]
    rules = (_check_names, _check_keys, _check_versions, _check_head, _check_manifest, _check_states, _check_fixity)
    return [RuleFinding(code, where, detail) for rule in rules for code, detail in rule(values)]


Violations = Iterator[tuple[str, str]]
"""Codes and details."""


def _check_names(values: Json) -> Violations:
    for key in ("id", "type", "digestAlgorithm", "head"):
        if key not in values:
            yield "E036", key
    identifier = values.get("id", "x:y")
    if not isinstance(identifier, str) or not identifier:
        yield "E037", repr(identifier)
    elif not _URI.fullmatch(identifier):
        yield "W005", identifier
    if "type" in values and specification_of(values) is None:
        yield "E038", repr(values["type"])
    yield from _check_algorithm(values.get("digestAlgorithm", "sha512"))
    yield from _check_content_directory(values.get("contentDirectory", "content"))


def _check_algorithm(algorithm: object) -> Violations:
    if algorithm not in ALGORITHMS:
        yield "E025", repr(algorithm)
    elif algorithm != "sha512":
        yield "W004", repr(algorithm)


def _check_content_directory(name: object) -> Violations:
    if not isinstance(name, str) or "/" in name:
        yield "E017", repr(name)
    elif name in {"", ".", ".."}:
        yield "E018", repr(name)


def _check_keys(values: Json) -> Violations:
    for key in sorted(values.keys() - _KEYS):
        yield "E102", key
    for key, missing, malformed in (("manifest", "E041", "E106"), ("versions", "E043", "E044")):
        if key not in values:
            yield missing, key
        elif not isinstance(values[key], dict):
            yield malformed, key


def versions_of(values: Json) -> dict[str, Json]:
    """Return the well-formed version blocks by name."""
    versions = values.get("versions")
    blocks = versions if isinstance(versions, dict) else {}
    return {name: block for name, block in blocks.items() if isinstance(block, dict)}


def manifest_of(values: Json, block: str = "manifest") -> dict[str, tuple[str, ...]]:
    """Return content paths by digest, in lower case; malformed parts are left out."""
    manifest = values.get(block)
    pairs = manifest.items() if isinstance(manifest, dict) else ()
    return {
        digest.lower(): tuple(path for path in listed if isinstance(path, str))
        for digest, listed in pairs
        if _is_list(listed)
    }


def state_of(block: Json) -> dict[str, str]:
    """Return the digests, in lower case, of a version block by logical path."""
    state = block.get("state")
    pairs = state.items() if isinstance(state, dict) else ()
    return {path: digest.lower() for digest, paths in pairs if _is_list(paths) for path in paths if _is_text(path)}


def _check_versions(values: Json) -> Violations:
    versions = values.get("versions")
    if not isinstance(versions, dict):
        return
    if not versions:
        yield "E008", ""
        return
    matches = {name: VERSION_NAME.fullmatch(name) for name in versions}
    for name in (name for name, match in matches.items() if not match):
        yield "E046", name
    numbers = sorted({int(match[2]) for match in matches.values() if match})
    for before, number in pairwise([0, *numbers]):
        if number != before + 1:  # the first number of each gap: a damaged name may leave out millions
            yield ("E010" if before else "E009"), f"v{before + 1}"
    yield from _check_padding([match[0] for match in matches.values() if match])


def _check_padding(names: list[str]) -> Violations:
    padded = [name for name in names if name.startswith("v0")]
    if not padded:
        return
    yield "W001", padded[0]
    if len(padded) != len(names):
        yield "E011", ", ".join(sorted(names))
        yield "E013", ", ".join(sorted(names))
    if len({len(name) for name in names}) > 1:
        yield "E012", ", ".join(sorted(names))


def _check_head(values: Json) -> Violations:
    matches = [match for name in versions_of(values) if (match := VERSION_NAME.fullmatch(name))]
    newest = max(matches, key=lambda match: int(match[2]), default=None)
    head = values.get("head")
    if head is not None and newest and head != newest[0]:
        yield "E040", repr(head)
        if isinstance(head, str) and re.fullmatch(r"v0\d+", head) and not newest[1]:
            yield "E011", head
            yield "E013", head


def _check_manifest(values: Json) -> Violations:
    manifest = values.get("manifest")
    if not isinstance(manifest, dict):
        return
    yield from _check_digest_block(manifest, "E092", "E096")
    used = {digest for block in versions_of(values).values() for digest in state_of(block).values()}
    for digest in sorted(manifest_of(values).keys() - used):
        yield "E107", digest
    folder = str(values.get("contentDirectory", "content"))
    for path in (path for listed in manifest_of(values).values() for path in listed):
        version, _, rest = path.partition("/")
        if version not in versions_of(values) or not rest.startswith(f"{folder}/"):
            yield "E042", path


def _check_digest_block(block: Json, malformed: str, repeated: str) -> Violations:
    """Check a manifest or a block of the fixity block, which maps digests to lists of content paths."""
    for digest, listed in block.items():
        if not _is_list(listed) or not all(map(_is_text, listed)):
            yield malformed, digest
    for digest in _repeated(digest.lower() for digest in block):
        yield repeated, digest
    paths = [path for listed in block.values() if _is_list(listed) for path in listed if _is_text(path)]
    yield from _check_paths(paths, edges="E100", elements="E099", conflict="E101")


def _check_paths(paths: list[str], *, edges: str, elements: str, conflict: str) -> Violations:
    for path in paths:
        if path.startswith("/") or path.endswith("/"):
            yield edges, path
        if {"", ".", ".."} & set(path.strip("/").split("/")):
            yield elements, path
    for path in _repeated(paths):
        yield conflict, path
    folders = {path[: match.start()] for path in paths for match in re.finditer("/", path)}
    for path in sorted(folders & set(paths)):
        yield conflict, path


def _check_states(values: Json) -> Violations:
    versions = values.get("versions")
    if not isinstance(versions, dict):
        return
    known = set(values["manifest"]) if isinstance(values.get("manifest"), dict) else set()
    for name, block in versions.items():
        if not isinstance(block, dict):
            yield "E047", name
            continue
        yield from ((code, f"{name}: {detail}") for code, detail in _check_block(block, known))


def _check_block(block: Json, known: set[str]) -> Violations:
    for key, code in (("created", "E048"), ("state", "E048"), ("message", "W007"), ("user", "W007")):
        if key not in block:
            yield code, key
    if "created" in block and not _is_time(block["created"]):
        yield "E049", repr(block["created"])
    if not _is_text(block.get("message", "")):
        yield "E094", repr(block["message"])
    if "user" in block:
        yield from _check_user(block["user"])
    if "state" in block:
        yield from _check_state(block["state"], known)


def _check_user(user: object) -> Violations:
    if not isinstance(user, dict) or not _is_text(user.get("name")) or not user["name"]:
        yield "E054", repr(user)
    elif "address" not in user:
        yield "W008", repr(user)
    elif not _is_text(user["address"]):
        yield "E054", repr(user)
    elif not _URI.fullmatch(user["address"]):
        yield "W009", user["address"]


def _check_state(state: object, known: set[str]) -> Violations:
    if not isinstance(state, dict):
        yield "E050", repr(state)
        return
    for digest in sorted(state.keys() - known):
        yield "E050", digest
    for digest, paths in state.items():
        if not _is_list(paths) or not all(map(_is_text, paths)):
            yield "E051", digest
    paths = [path for paths in state.values() if _is_list(paths) for path in paths if _is_text(path)]
    yield from _check_paths(paths, edges="E053", elements="E052", conflict="E095")


def _check_fixity(values: Json) -> Violations:
    fixity = values.get("fixity", {})
    if not isinstance(fixity, dict):
        yield "E111", repr(fixity)
        return
    listed = {path for paths in manifest_of(values).values() for path in paths}
    for algorithm, block in fixity.items():
        if not isinstance(block, dict):
            yield "E057", algorithm
            continue
        yield from _check_digest_block(block, "E057", "E097")
        for path in sorted({path for paths in manifest_of(fixity, algorithm).values() for path in paths} - listed):
            yield "E093", path


def _repeated(values: Iterable[str]) -> list[str]:
    return sorted(value for value, times in Counter(values).items() if times > 1)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_time(value: object) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None
