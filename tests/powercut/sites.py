"""The calls in `app/` that make a change durable, and recordings of a program that lacks one of them."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.config import PROJECT
from tests.powercut.recorder import Operation, Record

_DISK = "app/disk.py"
_DURABLE = {"sync_folder", "sync_file", "sync_tree", "make_folder", "rename", "delete", "delete_tree"}
"""The functions of app/disk.py that sync."""


@dataclass(frozen=True, slots=True)
class Site:
    """A call that syncs, in the lines from `first` to `last` of a file; `function` contains it."""

    file: str
    function: str
    call: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.file}:{self.first} {self.function}: {self.call}"

    def removed(self) -> Callable[[Record], bool]:
        """Return what selects the syncs that a program without this call would lack."""
        return lambda record: record.operation is Operation.SYNC and self.made(record.data.decode())

    def made(self, calls: str) -> bool:
        """Return whether a sync came from this call; `calls` as in `program.site_of`."""
        places = (each.rpartition(":") for each in calls.split())
        return any(file == self.file and self.first <= int(line) <= self.last for file, _, line in places)


def sites() -> list[Site]:
    """Return all calls in `app/` that sync."""
    paths = sorted((PROJECT / "app").rglob("*.py"))
    return [site for path in paths for site in _sites_of(path)]


def _sites_of(path: Path) -> Iterator[Site]:
    tree, file = ast.parse(path.read_text("utf-8")), path.relative_to(PROJECT).as_posix()
    imported = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "app.disk"
        for name in node.names
        if name.name in _DURABLE
    }
    known = imported | {"os.fsync", "os.fdatasync"}
    if file == _DISK:
        known |= _DURABLE
    for function, call in _calls(tree, "the module"):
        if ast.unparse(call.func) in known:
            yield Site(file, function, ast.unparse(call), call.lineno, call.end_lineno or call.lineno)


def _calls(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield all calls below a node, each with the name of the function around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield function, child
        inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from _calls(child, inner)
