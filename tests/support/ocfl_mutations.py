"""Changes of a valid OCFL object that break one rule each, or only a recommendation.

The marks `breaks` and `warrants` name the codes (OCFL 1.1, "Validation Codes") that a validator must report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ocfl_fixtures import ObjectDraft, digest, valid_draft

Change = Callable[[ObjectDraft], object]


@dataclass(frozen=True)
class Mutation:
    """A change of a valid object with `versions` versions, and the codes that a validator must then report."""

    codes: frozenset[str]
    change: Change
    versions: int

    def draft(self) -> ObjectDraft:
        """Return the changed object."""
        draft = valid_draft(versions=self.versions)
        self.change(draft)
        return draft


BAD: Final[dict[str, Mutation]] = {}
WARNED: Final[dict[str, Mutation]] = {}


def breaks(*codes: str, versions: int = 3) -> Callable[[Change], Change]:
    """Register a change that breaks the rules of these codes."""
    return lambda change: _register(BAD, Mutation(frozenset(codes), change, versions))


def warrants(*codes: str) -> Callable[[Change], Change]:
    """Register a change that leaves the object valid and warrants these warnings."""
    return lambda change: _register(WARNED, Mutation(frozenset(codes), change, 3))


def _register(table: dict[str, Mutation], mutation: Mutation) -> Change:
    name = getattr(mutation.change, "__name__", "")
    table["_".join([*sorted(mutation.codes), name])] = mutation
    return mutation.change


def _everywhere(draft: ObjectDraft, **members: object) -> None:
    """Set members of the root inventory and of the newest version's."""
    for inventory in draft.head():
        inventory.update(members)


def _without(draft: ObjectDraft, member: str) -> None:
    for inventory in draft.head():
        del inventory[member]


def _in_block(draft: ObjectDraft, version: str = "v3", **members: object) -> None:
    """Set members of a version block in the root inventory and in the newest version's."""
    for inventory in draft.head():
        inventory["versions"][version].update(members)


# The object root


@breaks("E001")
def extra_file_in_root(draft: ObjectDraft) -> None:
    draft.extra["notes.txt"] = b"x"


@breaks("E001")
def extra_folder_in_root(draft: ObjectDraft) -> None:
    draft.extra["drafts/notes.txt"] = b"x"


@breaks("E001")
def sidecar_of_another_algorithm(draft: ObjectDraft) -> None:
    body = draft.files()["inventory.json"]
    draft.extra["inventory.json.sha256"] = f"{digest(body, 'sha256')} inventory.json\n".encode()


@breaks("E003")
def no_declaration(draft: ObjectDraft) -> None:
    draft.omitted.add("0=ocfl_object_1.1")


@breaks("E007")
def declaration_of_another_specification(draft: ObjectDraft) -> None:
    draft.extra["0=ocfl_object_1.1"] = b"ocfl_object_1.0\n"


@breaks("E067")
def file_in_extensions_folder(draft: ObjectDraft) -> None:
    draft.extra["extensions/notes.txt"] = b"x"


@breaks("E063")
def no_inventory(draft: ObjectDraft) -> None:
    draft.omitted |= {"inventory.json", "inventory.json.sha512"}


@breaks("E058")
def no_sidecar(draft: ObjectDraft) -> None:
    draft.omitted.add("inventory.json.sha512")


@breaks("E061")
def sidecar_without_file_name(draft: ObjectDraft) -> None:
    draft.extra["inventory.json.sha512"] = draft.files()["inventory.json.sha512"].split()[0] + b"\n"


@breaks("E060")
def sidecar_of_another_inventory(draft: ObjectDraft) -> None:
    draft.extra["inventory.json.sha512"] = digest(b"another").encode() + b" inventory.json\n"


@breaks("E060")
def sidecar_of_another_version_inventory(draft: ObjectDraft) -> None:
    draft.extra["v1/inventory.json.sha512"] = digest(b"another").encode() + b" inventory.json\n"


@breaks("E033")
def inventory_that_is_not_json(draft: ObjectDraft) -> None:
    body = b"{"
    draft.extra |= {
        "inventory.json": body,
        "inventory.json.sha512": f"{digest(body)} inventory.json\n".encode(),
    }


# The inventory


@breaks("E025")
def digest_algorithm_md5(draft: ObjectDraft) -> None:
    _everywhere(draft, digestAlgorithm="md5")


@breaks("E036")
def no_identifier(draft: ObjectDraft) -> None:
    _without(draft, "id")


@breaks("E036")
def no_head(draft: ObjectDraft) -> None:
    _without(draft, "head")


@breaks("E037")
def identifier_that_changes(draft: ObjectDraft) -> None:
    draft.inventories["v1"]["id"] = "info:library/work-2"


@breaks("E038")
def type_of_no_specification(draft: ObjectDraft) -> None:
    _everywhere(draft, type="https://ocfl.io/9.9/spec/#inventory")


@breaks("E040")
def head_that_is_not_the_newest(draft: ObjectDraft) -> None:
    _everywhere(draft, head="v2")


@breaks("E040")
def head_of_another_version(draft: ObjectDraft) -> None:
    draft.inventories["v1"]["head"] = "v2"


@breaks("E041", versions=1)
def no_manifest(draft: ObjectDraft) -> None:
    _without(draft, "manifest")
    _in_block(draft, "v1", state={})


@breaks("E008")
def no_versions(draft: ObjectDraft) -> None:
    _everywhere(draft, versions={})


@breaks("E010")
def version_that_is_skipped(draft: ObjectDraft) -> None:
    for inventory in draft.head():
        del inventory["versions"]["v2"]


@breaks("E017")
def content_directory_of_two_elements(draft: ObjectDraft) -> None:
    _everywhere(draft, contentDirectory="content/files")


@breaks("E019")
def content_directory_that_changes(draft: ObjectDraft) -> None:
    _everywhere(draft, contentDirectory="content")
    draft.inventories["v1"]["contentDirectory"] = "files"


@breaks("E064")
def root_inventory_unlike_the_newest(draft: ObjectDraft) -> None:
    draft.root["versions"]["v3"]["message"] = "Another message"


@breaks("E066")
def state_that_changes(draft: ObjectDraft) -> None:
    state = draft.inventories["v2"]["versions"]["v1"]["state"]
    state[digest(b"first page")] = ["renamed.tif"]


# Version blocks


@breaks("E049")
def time_without_zone(draft: ObjectDraft) -> None:
    _in_block(draft, created="2026-01-02T03:04:05")


@breaks("E049")
def time_without_seconds(draft: ObjectDraft) -> None:
    _in_block(draft, created="2026-01-02T03:04Z")


@breaks("E048")
def no_time(draft: ObjectDraft) -> None:
    for inventory in draft.head():
        del inventory["versions"]["v3"]["created"]


@breaks("E094")
def message_that_is_a_number(draft: ObjectDraft) -> None:
    _in_block(draft, message=1)


@breaks("E054")
def user_without_name(draft: ObjectDraft) -> None:
    _in_block(draft, user={"address": "mailto:a@library.example"})


@breaks("E050")
def state_with_a_digest_of_no_content(draft: ObjectDraft) -> None:
    _in_block(draft, state={digest(b"absent"): ["absent.tif"]})


@breaks("E052")
def logical_path_that_climbs(draft: ObjectDraft) -> None:
    _in_block(draft, state={digest(b"first page"): ["../page-1.tif"]})


@breaks("E053")
def logical_path_that_begins_with_a_slash(draft: ObjectDraft) -> None:
    _in_block(draft, state={digest(b"first page"): ["/page-1.tif"]})


@breaks("E095")
def logical_path_that_is_also_a_folder(draft: ObjectDraft) -> None:
    _in_block(draft, state={digest(b"first page"): ["scans", "scans/page-1.tif"]})


# Content


def _manifest_path(draft: ObjectDraft, path: str) -> None:
    for inventory in draft.head():
        inventory["manifest"][digest(b"first page")].append(path)


@breaks("E015")
def file_beside_the_content_directory(draft: ObjectDraft) -> None:
    draft.extra["v1/notes.txt"] = b"x"


@breaks("E015")
def sidecar_of_a_version_without_its_inventory(draft: ObjectDraft) -> None:
    draft.omitted.add("v1/inventory.json")


@breaks("E015")
def version_sidecar_of_another_algorithm(draft: ObjectDraft) -> None:
    body = draft.files()["v1/inventory.json"]
    draft.extra["v1/inventory.json.sha256"] = f"{digest(body, 'sha256')} inventory.json\n".encode()


@breaks("E023")
def content_that_no_manifest_lists(draft: ObjectDraft) -> None:
    draft.extra["v1/content/unlisted.tif"] = b"x"


@breaks("E092")
def content_that_is_absent(draft: ObjectDraft) -> None:
    draft.omitted.add("v2/content/page-2.tif")


@breaks("E092")
def content_of_another_digest(draft: ObjectDraft) -> None:
    draft.extra["v2/content/page-2.tif"] = b"second pagE"


@breaks("E099")
def content_path_that_climbs(draft: ObjectDraft) -> None:
    _manifest_path(draft, "v1/content/../content/page-1.tif")


@breaks("E100")
def content_path_that_begins_with_a_slash(draft: ObjectDraft) -> None:
    _manifest_path(draft, "/v1/content/page-1.tif")


@breaks("E101")
def content_path_that_is_listed_twice(draft: ObjectDraft) -> None:
    for inventory in draft.head():
        inventory["manifest"][digest(b"second page")].append("v1/content/page-1.tif")


@breaks("E096")
def manifest_with_a_digest_in_both_cases(draft: ObjectDraft) -> None:
    for inventory in draft.head():
        inventory["manifest"][digest(b"first page").upper()] = ["v1/content/page-1.tif"]


@breaks("E107")
def content_that_no_version_uses(draft: ObjectDraft) -> None:
    draft.extra["v3/content/unused.tif"] = b"unused"
    for inventory in draft.head():
        inventory["manifest"][digest(b"unused")] = ["v3/content/unused.tif"]


@breaks("E093")
def fixity_of_another_digest(draft: ObjectDraft) -> None:
    _everywhere(draft, fixity={"md5": {digest(b"another", "md5"): ["v1/content/page-1.tif"]}})


@breaks("E097")
def fixity_with_a_digest_in_both_cases(draft: ObjectDraft) -> None:
    md5 = digest(b"first page", "md5")
    _everywhere(draft, fixity={"md5": {md5: ["v1/content/page-1.tif"], md5.upper(): ["v1/content/page-1.tif"]}})


@breaks("E103")
def version_of_a_newer_specification(draft: ObjectDraft) -> None:
    for inventory in draft.head():
        inventory["type"] = "https://ocfl.io/1.0/spec/#inventory"
    draft.omitted.add("0=ocfl_object_1.1")
    draft.extra["0=ocfl_object_1.0"] = b"ocfl_object_1.0\n"


# Recommendations


@warrants("W002")
def extra_folder_in_a_version(draft: ObjectDraft) -> None:
    draft.extra["v1/notes/notes.txt"] = b"x"


@warrants("W005")
def identifier_that_is_no_uri(draft: ObjectDraft) -> None:
    for inventory in draft.inventories.values():
        inventory["id"] = "work-1"


@warrants("W007")
def version_without_message_and_user(draft: ObjectDraft) -> None:
    for inventory in draft.head():
        del inventory["versions"]["v3"]["message"], inventory["versions"]["v3"]["user"]


@warrants("W008")
def user_without_address(draft: ObjectDraft) -> None:
    _in_block(draft, user={"name": "Librarian"})


@warrants("W009")
def user_address_that_is_no_uri(draft: ObjectDraft) -> None:
    _in_block(draft, user={"name": "Librarian", "address": "Reading Room 3"})


@warrants("W010")
def version_without_inventory(draft: ObjectDraft) -> None:
    draft.omitted |= {"v1/inventory.json", "v1/inventory.json.sha512"}


@warrants("W011")
def message_that_changes(draft: ObjectDraft) -> None:
    draft.inventories["v1"]["versions"]["v1"]["message"] = "Another message"


@warrants("W013")
def extension_that_is_not_registered(draft: ObjectDraft) -> None:
    draft.extra["extensions/unregistered/config.json"] = b"{}"
