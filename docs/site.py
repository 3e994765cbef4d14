"""MkDocs' hooks: files above docs/ become pages, and their links, which fit the repository, fit the site."""  # noqa: INP001 - MkDocs reads it as a file

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_PROJECT = Path(__file__).parents[1]
_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "license.md",
}
_DECISIONS = sorted(f"adr/{each.name}" for each in (_PROJECT / "docs" / "adr").glob("*.md"))
_LINK = re.compile(r"(?<=\]\()(?!https?:)[^)#\s]+")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List all decisions in the navigation."""
    for section in config.nav or []:
        for entries in section.values():
            for entry in entries:
                if "Decisions" in entry:
                    entry["Decisions"] = _DECISIONS
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files above docs/."""
    for source, page in _PAGES.items():
        text = (_PROJECT / source).read_text("utf-8")
        if not source.endswith(".md"):
            text = f"# Licence\n\n```text\n{text}\n```\n"
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_others: Any) -> str:
    """Turn links of the repository into links of the site."""
    if page.file.src_uri in _PAGES.values():
        return _LINK.sub(lambda found: _inside(found.group()), markdown)
    return _LINK.sub(lambda found: _PAGES.get(found.group().removeprefix("../"), found.group()), markdown)


def _inside(target: str) -> str:
    """Return where a link of a file above docs/ leads on the site."""
    if target == "docs/adr/":
        return _DECISIONS[0]
    return _PAGES.get(target, target.removeprefix("docs/"))
