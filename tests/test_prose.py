"""The word list finds prose, with its line, and leaves code alone."""

from app.config import PROJECT
from tests.prose import files, idioms


def found(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return [(line, words) for line, words, _ in idioms(path)]


def test_python_is_searched_in_docstrings_comments_and_messages(tmp_path):
    source = '''"""Begin anew."""

anew = "anew"  # a name and a single word are no prose
# It is tried again
# and again.
raise ValueError(f"the key {anew} is none of mine")
'''
    assert sorted(found(tmp_path, "a.py", source)) == [
        (1, "Begin"),
        (1, "anew"),
        (3, "are no prose"),
        (4, "again and again"),
        (6, "is none"),
    ]


def test_pages_are_searched_outside_of_code(tmp_path):
    page = "# Page\n\n`anew` is code.\n\n```sh\necho anew\n```\n\nWhoever reads it\nis told.\n"
    assert found(tmp_path, "a.md", page) == [(9, "Whoever"), (10, "told")]


def test_ordinary_english_is_left_alone(tmp_path):
    assert not found(tmp_path, "a.md", "There is no key. It is no longer used. No such route. Which is it?\n")


def test_shell_and_settings_are_searched_in_their_comments(tmp_path):
    assert found(tmp_path, "a.toml", 'anew = "anew anew anew"\n# Meanwhile\n') == [(2, "Meanwhile")]


def test_the_page_is_searched_in_its_comments_and_texts(tmp_path):
    assert found(tmp_path, "a.js", "const anew = 1; // again\n/** Anew. */") == [(2, "Anew")]
    assert found(tmp_path, "a.html", '<p class="anew">\nMeanwhile</p>') == [(2, "Meanwhile")]


def test_the_repository_is_searched():
    names = {str(path.relative_to(PROJECT)) for path in files()}
    assert {"README.md", "Makefile", "app/config/groups.py", "docs/api.md", "pyproject.toml", "tests/prose.py"} <= names
    assert "docs/openapi.md" not in names
