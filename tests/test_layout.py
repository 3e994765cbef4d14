"""The layout of the code: unique class names, readable sizes, and no broad except outside the named borders."""

import ast
from collections import Counter, defaultdict
from itertools import chain

import pytest

from app.config import PROJECT

LONGEST_FILE, LONGEST_FUNCTION, USUAL_FUNCTION = 350, 40, 25  # lines
USUAL_SHARE = 0.95  # share of functions of at most USUAL_FUNCTION lines

# The last resort of the API, the worker that runs batches, and the runner of jobs.
BORDERS = {"middleware.py", "batcher.py", "runner.py"}

# Known violations. Remove an entry with the change that fixes it; never add one.
LONG_FUNCTIONS = {
    "bulk.py:add",
    "collections.py:change",
    "collections.py:create",
    "metrics.py:__init__",
    "middleware.py:__call__",
    "store.py:create",
    "train_commands.py:adapter",
    "train_commands.py:export",
}
BROAD_EXCEPTS = {
    "archive_format.py",
}


@pytest.fixture(scope="module")
def sources():
    """Return the text of each file."""
    rooms = [PROJECT / room for room in ("app", "benchmarks", "clients/python/arcid")]
    return {path: path.read_text("utf-8") for room in rooms for path in sorted(room.rglob("*.py"))}


@pytest.fixture(scope="module")
def trees(sources):
    return {path: ast.parse(source) for path, source in sources.items()}


@pytest.fixture(scope="module")
def functions(trees):
    return [
        (path, node)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def lines_of(node):
    return node.end_lineno - node.lineno + 1


def is_broad(handler):
    """Return whether a handler catches every exception and does not raise it again."""
    caught = {"BaseException"} if handler.type is None else {each.id for each in names_in(handler.type)}
    last = handler.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    return bool(caught & {"Exception", "BaseException"}) and not raises_again


def suppresses_everything(call):
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    caught = {each.id for each in chain.from_iterable(map(names_in, call.args))}
    return name == "suppress" and bool(caught & {"Exception", "BaseException"})


def names_in(expression):
    return [node for node in ast.walk(expression) if isinstance(node, ast.Name)]


def test_no_class_name_occurs_in_two_modules(trees):
    modules = defaultdict(set)
    app = {path: tree for path, tree in trees.items() if PROJECT / "app" in path.parents}
    for path, tree in app.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                modules[node.name].add(str(path.relative_to(PROJECT)))
    shared = {name: sorted(paths) for name, paths in modules.items() if len(paths) > 1}
    assert not shared


def test_no_file_is_too_long(sources):
    lengths = {str(path.relative_to(PROJECT)): len(source.splitlines()) for path, source in sources.items()}
    long = {path: length for path, length in lengths.items() if length > LONGEST_FILE}
    assert not long


def test_no_function_is_too_long(functions):
    long = {f"{path.name}:{node.name}": lines_of(node) for path, node in functions if lines_of(node) > LONGEST_FUNCTION}
    assert not {name: length for name, length in long.items() if name not in LONG_FUNCTIONS}


def test_most_functions_are_short(functions):
    sizes = Counter(lines_of(node) <= USUAL_FUNCTION for _, node in functions)
    assert sizes[True] / sizes.total() >= USUAL_SHARE


def test_only_the_borders_catch_every_exception(trees):
    broad = set()
    for path, tree in trees.items():
        handlers = any(isinstance(node, ast.ExceptHandler) and is_broad(node) for node in ast.walk(tree))
        calls = any(isinstance(node, ast.Call) and suppresses_everything(node) for node in ast.walk(tree))
        if handlers or calls:
            broad.add(path.name)
    assert broad <= BORDERS | BROAD_EXCEPTS


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("try: pass\nexcept: pass", True),
        ("try: pass\nexcept (ValueError, Exception): pass", True),
        ("try: pass\nexcept BaseException:\n  close()\n  raise", False),
        ("try: pass\nexcept Exception as error: raise ValueError from error", True),
        ("try: pass\nexcept OSError: pass", False),
    ],
)
def test_a_broad_except_is_recognised(source, expected):
    (handler,) = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler))
    assert is_broad(handler) is expected
