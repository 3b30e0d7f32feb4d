"""The architecture rules of ARCHITECTURE.md: layers, pure modules, sizes, and what each module may use."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("repository", "iiif_server", "preservation", "workers", "web", "sample_book")
PURE_PACKAGES = ("iiif_server.request", "web.messages")
IMPURE = {
    *("boto3", "celery", "flask", "iiif_prezi3", "imagecodecs", "obstore", "os", "pyvips", "requests", "shutil"),
    *("simplejpeg", "socket", "sqlalchemy", "subprocess", "tempfile"),
}
LONGEST_FILE = 400
ALONE = {"preservation.verifier.verify": 700}
"""What must be one file, because people take it away: its limit in lines."""

LONGEST_FUNCTION = 60
NINETIETH_PERCENTILE = 25
MEDIAN = 10

DELETING = {
    "preservation.fixity.quarantine": "what no inventory and no log explains, after its bytes are in the quarantine",
    "iiif_server.presentation.published": "collections that are no longer published",
    "preservation.log.writer": "partial tiles of the log that full tiles replace",
    "preservation.ocfl.unfinished": "files of a version that is recorded as unfinished, and the record",
    "preservation.replication.log": "partial tiles of the log's copy that full tiles replace",
    "repository.texts": "the text of works that have none any more, which was made from preserved files",
    "workers.harvest.keeping": "a source that an operator removes, with its records",
    "workers.tasks.features": "features of works that are not shown or have changed, and replaced parts of their index",
    "workers.tasks.ingest": "pyramids of a refused deposit",
    "workers.tasks.search_index": "parts of the search index that others have replaced",
    "workers.published_edition": "the mark that documents of an earlier release were published",
    "workers.tasks.pyramids": "pyramids that were made again under another key",
}
"""What each module may delete in a store. Only one may delete files of OCFL objects."""

ERASING = {
    "preservation.deletion": "the object of a work whose tombstone is in the store",
    "workers.tasks.delete": "pyramids of a work whose deletion two people have decided",
}
"""What each module may erase in a store: everything below a prefix, with all versions that a bucket keeps."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
OUTERMOST_LOOPS = {
    "web.telemetry.damage_reports",
    "web.telemetry.request_log",
    "workers.execution.runner",
    "workers.service.dispatch",
    "workers.service.local_worker",
}


@cache
def modules() -> list[Path]:
    """Return every module of the project, without those that npm installs below the packages."""
    paths = [path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")]
    return sorted(path for path in paths if "node_modules" not in path.parts)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def says_pure(path: Path) -> bool:
    """Return whether the first paragraph of a module's docstring ends in (pure)."""
    return (ast.get_docstring(parse(path)) or "").split("\n\n")[0].endswith("(pure)")


def functions(path: Path) -> Iterator[FunctionNode]:
    return (node for node in ast.walk(parse(path)) if isinstance(node, FunctionNode))


def length(function: FunctionNode) -> int:
    """Return the lines from ``def`` to the end without the docstring, which does not make code longer."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    return lines - ((first.end_lineno or 0) - first.lineno + 1 if documented else 0)


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_marked_pure_reach_no_io_and_no_framework() -> None:
    graph = grimp.build_graph(*PACKAGES, include_external_packages=True)
    marked = [dotted(path) for path in modules() if says_pure(path)]
    assert len(marked) > 30
    reached = {module: graph.find_upstream_modules(module) & IMPURE for module in marked}
    assert {module: imports for module, imports in reached.items() if imports} == {}


def test_every_module_of_a_pure_package_is_marked_pure() -> None:
    unmarked = {
        dotted(path)
        for path in modules()
        if dotted(path).startswith(tuple(f"{package}." for package in PURE_PACKAGES)) and not says_pure(path)
    }
    assert unmarked == set()


def test_every_package_says_what_it_owns_and_who_may_import_it() -> None:
    packages = [path for path in modules() if path.name == "__init__.py" and "migrations" not in path.parts]
    silent = [dotted(path) for path in packages if "import" not in (ast.get_docstring(parse(path)) or "")]
    assert silent == []


def test_no_two_classes_share_a_name() -> None:
    defined: dict[str, list[str]] = {}
    for path in modules():
        for node in parse(path).body:
            if isinstance(node, ast.ClassDef):
                defined.setdefault(node.name, []).append(dotted(path))
    assert {name: places for name, places in defined.items() if len(places) > 1} == {}


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {dotted(path): len(path.read_text().splitlines()) for path in modules()}
    assert {name for name, lines in lengths.items() if lines > ALONE.get(name, LONGEST_FILE)} == set()


def test_functions_are_short() -> None:
    written = [path for path in modules() if "migrations" not in path.parts]  # those only list what a table has
    lengths = {f"{dotted(path)}.{node.name}": length(node) for path in written for node in functions(path)}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
    assert statistics.median(lengths.values()) < MEDIAN
    assert statistics.quantiles(lengths.values(), n=10)[-1] < NINETIETH_PERCENTILE


def reads_environment(path: Path) -> bool:
    """Return whether a module reads the environment; setting variables for child processes is allowed."""
    tree = parse(path)
    set_here = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Subscript) and is_stored(node)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in set_here]
    return any(node.attr in {"environ", "getenv", "environb"} for node in names)


def is_stored(node: ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Store | ast.Del)


def test_only_the_settings_read_the_environment() -> None:
    assert {dotted(path) for path in modules() if reads_environment(path)} == {"repository.config"}


def writes_to_the_terminal(node: ast.AST) -> bool:
    """Return whether a node calls print, click.echo or rich's Console, or makes a handler of a log."""
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name == "print" or name.rpartition(".")[2] in {"Console", "StreamHandler", "basicConfig", "echo", "secho"}


def test_only_the_outlets_write_to_terminals_and_logs() -> None:
    """They make control characters visible; the request log and the sample book call the same function."""
    writing = {dotted(path) for path in modules() if any(map(writes_to_the_terminal, ast.walk(parse(path))))}
    assert writing == {"repository.logs", "sample_book.__main__", "web.cli.terminal", "web.telemetry.request_log"}


def test_only_one_module_knows_the_presentation_library() -> None:
    assert {dotted(path) for path in modules() if "iiif_prezi3" in path.read_text()} == {
        "iiif_server.presentation.manifest"
    }


def test_only_the_outermost_loops_catch_every_error() -> None:
    broad = {
        dotted(path)
        for path in modules()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
    }
    assert broad == OUTERMOST_LOOPS


def probes_for_a_port(node: ast.AST) -> bool:
    """Return whether code binds a socket only to learn a free port, and closes it before the port is used.

    A generator that yields the port while the socket listens does not.
    """
    if isinstance(node, ast.With):
        chosen = any(re.search(r"create_server\(.*, 0\)", ast.unparse(item)) for item in node.items)
        yields = any(isinstance(inner, ast.Yield) for inner in ast.walk(node))
        return chosen and not yields and "getsockname" in ast.unparse(node)
    return isinstance(node, ast.Call) and bool(re.search(r"\.bind\(\(.*, 0\)\)$", ast.unparse(node)))


def test_tests_reserve_ports_and_never_probe_for_one() -> None:
    probing = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "tests").rglob("*.py")
        if "node_modules" not in path.parts
        and re.search(r"bind\(|create_server\(", path.read_text("utf-8"))  # parsing the others would take seconds
        and any(map(probes_for_a_port, ast.walk(parse(path))))
    }
    assert probing == {"tests/support/ports.py"}


def callers(method: str) -> set[str]:
    """Return the modules outside storage that name an attribute, called on whatever object."""
    return {
        dotted(path)
        for path in modules()
        if not dotted(path).startswith("repository.storage.")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and node.attr == method
    }


def test_objects_are_erased_by_the_decision_of_two_people_alone() -> None:
    """One function erases an object, after the tombstone is read; one task calls it, for decided deletions."""
    assert callers("erase") == ERASING.keys()
    erased = {
        ast.unparse(node.args[0])
        for path in modules()
        if dotted(path) in ERASING
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "erase"
    }
    assert erased == {"paths.ocfl_object(work)", "paths.pyramids_of(image)"}
    graph = grimp.build_graph(*PACKAGES)
    using = {
        module
        for module in graph.find_modules_that_directly_import("preservation.deletion")
        if "erase_object" in (PROJECT / f"{module.replace('.', '/')}.py").read_text()
    }
    assert using == {"workers.tasks.delete"}


def test_no_code_but_that_of_stores_reaches_the_files_of_a_store() -> None:
    """Boto3 and obstore, which could delete without `ObjectStore`, are known to the storage package alone."""
    reaching = {
        dotted(path)
        for path in modules()
        if re.search(r"^\s*(from|import) (boto3|botocore|obstore)\b", path.read_text(), re.MULTILINE)
    }
    assert all(name.startswith("repository.storage.") for name in reaching), reaching


def test_only_listed_modules_delete_in_a_store_and_one_of_them_files_of_objects() -> None:
    deleting = {
        dotted(path)
        for path in modules()
        if not dotted(path).startswith(("repository.storage.", "repository.database."))
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and node.attr == "delete"
    }
    assert deleting == DELETING.keys()
    naming_objects = {
        dotted(path)
        for path in modules()
        if dotted(path) in DELETING and re.search(r"\bocfl_object\(", path.read_text())
    }
    assert naming_objects <= {"preservation.ocfl.unfinished", "workers.tasks.pyramids"}
