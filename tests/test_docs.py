"""The documentation is complete: every setting, error code, pack and route has its place."""

import re

import pytest

from app import errors
from app.api.errors import STATUS
from app.config import PREFIX, PROJECT, Settings, known_names
from app.main import create_app

DOCS = {path.stem: path.read_text("utf-8") for path in (PROJECT / "docs").glob("*.md")}


def test_every_setting_is_documented():
    groups = {
        f"{PREFIX}{name}".upper()
        for name in (
            *("limits", "rates", "urls", "detection", "inference", "gallery", "jobs", "milvus", "tracing"),
            "encryption",
        )
    }
    assert set(re.findall(r"`(ARCID_\w+)`", DOCS["settings"])) == known_names(Settings) - groups


@pytest.mark.parametrize("error", STATUS, ids=lambda error: error.__name__)
def test_every_error_of_the_api_is_documented(error):
    classes = [each for each in (error, *error.__subclasses__()) if "code" in vars(each)]
    assert classes
    for each in classes:
        assert f"`{each.code}`" in DOCS["api"]


def test_every_route_is_documented(settings):
    for path in create_app(settings).openapi()["paths"]:
        assert path in DOCS["api"]


def test_every_pack_is_documented(packs):
    assert all(f"`{manifest.name}`" in DOCS["models"] for manifest in packs.manifests())


def test_links_inside_the_project_lead_somewhere():
    for folder in (PROJECT, PROJECT / "docs", PROJECT / "docs" / "adr"):
        for path in folder.glob("*.md"):
            for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
                assert target.startswith("http") or (folder / target).exists(), f"{path}: {target}"


def test_error_classes_say_what_they_mean():
    for each in vars(errors).values():
        if isinstance(each, type) and issubclass(each, errors.ArcidError):
            assert each.__doc__
