"""The word list of prose: idioms of docstrings, comments, messages and pages, each with its plain replacement.

`python -m tests.prose PATH ...` lists the idioms below these paths. Without a path, the command checks the whole
repository, as `make check` does. `--counts` prints the numbers by idiom and by folder.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app.config import PROJECT

# Pattern -> replacement. A space matches any white space, the line break included.
IDIOMS = {
    r"\banew\b": "again",
    r"\bmeanwhile\b": "while ..., during this time",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\b(?:goes?|went|going) over to\b": "move to, switch to",
    r"\bof then\b": "new, previous",
    r"\bof now\b": "current",
    r"\bof before\b": "previous",
    r"\bto be had\b": "available",
    r"\b(?:is|are|was|were|be) there\b": "exist, be present",
    r"\b(?:is|are|was|were|be) (?-i:none)\b": "is missing, is not a ..., without",
    r"(?<!there\s)\b(?:is|are|was|were|be) no (?!longer\b|more\b|less\b)\w+": "is not a ...",
    r"\bwho(?:m|so)?ever\b": "the caller, anyone who",
    r"\bwherever\b": "if, in each place",
    r"\b(?:is|are|was|were|be|been) cut\b(?! short)": "name the subject: the service closes",
    r"\b(?:tells?|told)\b": "report, show, distinguish; name the subject",
    r"\b(?:says|said)\b": "state, name, report",
    r"\b(?-i:[Bb]egins?|[Bb]egan|[Bb]egun)\b": "start",
    r"\b(?:goes|going|go|went) on\b": "continue",
    r"\bforeign (?!keys?\b)\w+": "wrong-person photo, another installation's ...",
    r"\bpoor(?:er|est)? (?:face|photo|shot)s?\b": "low-quality face",
    r"\bby now\b": "name the time, or nothing",
    r"\bas it says\b": "name the thing",
    r"(?<!\bno\s)\bsuch (?!as\b)\w+": "name the thing",
    r"\b[Ee]nrol(?:s|ments?)?\b": "enroll, enrolls, enrollment",
    r"\bbeside\b": "next to, in addition to",
    r"\botherwise than\b": "not as",
    r"\bbut for\b": "except for",
    r"\bfor want of\b": "without",
    r"\bof (?:its|their|one's|somebody's|his) own\b": "its own ..., a separate ...",
    r"\bone's own\b": "your own",
    r"\bagain and again\b": "repeatedly",
    r"(?:\A|[.;] |\n\n)(?:What|Who|Whose)\b(?![^.]*\?)": "a noun phrase or a verb",
}
_PATTERNS = {idiom: re.compile(idiom.replace(" ", r"\s+"), re.IGNORECASE) for idiom in IDIOMS}
_GENERATED = {Path("docs/openapi.md")}  # from descriptions that are checked where they are written
_COMMENTED = {".sh", ".toml", ".yml", ".yaml", ".ini", ""}
_SCRIPT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
_CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def idioms(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the words and the pattern of each idiom of a file."""
    for line, text in ((line, _CODE.sub(lambda code: re.sub(r"\S", "_", code[0]), text)) for line, text in prose(path)):
        for idiom, pattern in _PATTERNS.items():
            for match in pattern.finditer(text):
                words = match[0].lstrip(".; \n")
                yield line + text.count("\n", 0, match.end() - len(words)), " ".join(words.split()), idiom


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the prose of a file, each piece with its first line."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        yield 1, text
    elif path.suffix == ".py":
        yield from _comments(text)
        yield from _strings(text, docstrings_only=path.is_relative_to(PROJECT / "tests"))
    elif path.suffix in {".js", ".css"}:
        yield from ((text.count("\n", 0, comment.start()) + 1, comment[0]) for comment in _SCRIPT.finditer(text))
    elif path.suffix == ".html":
        yield 1, re.sub(r"<[^>]*>", lambda tag: re.sub(r"[^\n]", " ", tag[0]), text)
    elif path.suffix in _COMMENTED:
        lines = text.splitlines()
        yield from _blocks((at, line.lstrip()) for at, line in enumerate(lines, 1) if line.lstrip().startswith("#"))


def _comments(source: str) -> Iterator[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield from _blocks((token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT)


def _blocks(comments: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Join comments on adjacent lines."""
    block: list[str] = []
    first = 0
    for line, comment in comments:
        if block and line != first + len(block):
            yield first, "\n".join(block)
            block = []
        first = first if block else line
        block.append(comment.lstrip("#!: "))
    if block:
        yield first, "\n".join(block)


def _strings(source: str, *, docstrings_only: bool) -> Iterator[tuple[int, str]]:
    """Yield docstrings, and other strings of three words or more."""
    tree = ast.parse(source)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "_" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            text = node.value
        else:
            continue
        if id(node) in statements or (not docstrings_only and len(text.split()) > 2):
            yield node.lineno, text


def files(*paths: str) -> list[Path]:
    """Return the files of the repository below the paths (default: all) that contain prose."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    names = {Path(name) for name in listed.split("\0") if name} - _GENERATED
    return sorted(
        PROJECT / name
        for name in names
        if name.suffix in {".md", ".py", ".js", ".css", ".html", *_COMMENTED} and (PROJECT / name).is_file()
    )


def report(paths: list[str]) -> tuple[list[str], bool]:
    """Return a line for each idiom and one with their number, and whether the prose is clean."""
    lines = [
        f"{path.relative_to(PROJECT)}:{line}: '{words}': write: {IDIOMS[idiom]}"
        for path in files(*paths)
        for line, words, idiom in idioms(path)
    ]
    return [*lines, f"prose: {len(lines)} idioms"], not lines


def counts() -> list[str]:
    """Return the numbers of idioms by pattern and by folder."""
    places = [(path, idiom) for path in files() for *_, idiom in idioms(path)]
    by_idiom = Counter(idiom for _, idiom in places)
    by_folder = Counter("/".join(path.relative_to(PROJECT).parts[:2]) for path, _ in places)
    return [f"{number:6} {name}" for numbers in (by_idiom, by_folder) for name, number in numbers.most_common()]


if __name__ == "__main__":
    report_lines, is_sound = (counts(), True) if sys.argv[1:] == ["--counts"] else report(sys.argv[1:])
    sys.stdout.write("\n".join([*report_lines, ""]))
    sys.exit(0 if is_sound else 1)
