"""The examples in the documentation: fenced blocks, with instructions to this test in comments before them.

<!-- not run: needs a container engine -->      the block is only parsed
<!-- before:                                    shell commands that run before the block
arcid collections create staff
-->
"""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from app.config import PROJECT

# Pages whose examples run in other tests.
EXCLUDED = {
    "docs/client.md": "the tests of the client run them",
    "docs/javascript.md": "tests/end_to_end/test_javascript_client.py runs them",
}
_BLOCK = re.compile(
    r"(?P<comments>(?:^[ ]*<!--(?:(?!-->).)*-->\s*\n)*)^(?P<indent>[ ]*)```(?P<language>\w*)\n(?P<text>.*?)^[ ]*```$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--\s*(not run|before):(.*?)-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """A fenced block. `reason` is why it does not run (None: it runs); `before` is shell code to run first."""

    page: str
    line: int
    language: str
    text: str
    reason: str | None
    before: str

    @property
    def is_run(self) -> bool:
        return self.language in {"sh", "python"} and self.reason is None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return the pages with examples, as paths from the project's folder."""
    found = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
    return [name for name in (path.relative_to(PROJECT).as_posix() for path in found) if name not in EXCLUDED]


def examples(page: str) -> list[Example]:
    """Return the fenced blocks of a page in order."""
    text = Path(PROJECT, page).read_text("utf-8")
    return [_example(page, text, found) for found in _BLOCK.finditer(text)]


def _example(page: str, text: str, found: re.Match[str]) -> Example:
    said = dict(_COMMENT.findall(found["comments"]))
    reason = said.get("not run")
    return Example(
        page=page,
        line=text.count("\n", 0, found.start("indent")) + 1,
        language=found["language"],
        text=textwrap.dedent(found["text"]),
        reason=None if reason is None else reason.strip(),
        before=textwrap.dedent(said.get("before", "")).strip(),
    )
