"""Run the examples of the client's pages in order against the real service."""

import re
import zipfile

import pytest

from app.config import PROJECT
from arcid import Client
from tests.client.conftest import methods_of

PAGE = PROJECT / "docs" / "client.md"
README = PROJECT / "clients" / "python" / "README.md"
SHOWN = {
    PAGE: (
        "1 enrolled; [(1, 'no_face')]",
        "match ",
        ") Ada ",
        "ada Ada Lovelace 1",
        "complete",
        "'enrolled': 1",
        "nobody/1.png no_face",
        "succeeded",
        "nothing_enrolled",
        "404 identity_unknown",
        "[6, 0]",
        "staff 1",
    ),
    README: (" match (Candidate(identity_id='ada', name='Ada',", " unknown ("),
}


@pytest.fixture
def photos(tmp_path, monkeypatch, portrait, faces_of, group_photo, faceless):
    """Return the working folder of the examples, with their photos."""
    files = {
        "ada-1.jpg": faces_of[5],
        "ada-2.jpg": faceless,
        "visitor.jpg": faces_of[5],
        "party.jpg": group_photo,
        "landscape.jpg": faceless,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "staff.zip", "w") as archive:
        archive.writestr("eileen/1.png", portrait)
        archive.writestr("nobody/1.png", faceless)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page, address, photos, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert '"http://127.0.0.1:8000"' in blocks[0]
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block.replace("http://127.0.0.1:8000", address), page.name, "exec"), names)  # noqa: S102 - our own pages
    shown = capsys.readouterr().out
    for part in SHOWN[page]:
        assert part in shown, shown
    if page == PAGE:
        assert zipfile.is_zipfile(photos / "staff-archive.zip")


def test_every_method_is_in_the_table():
    table = PAGE.read_text("utf-8")
    for name in methods_of(Client("http://127.0.0.1:1")):
        assert f"`{name}(" in table, name
