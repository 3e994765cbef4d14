"""The documentation is complete: it contains each setting, error code, pack, route, metric and command."""

import re

import pytest
import typer

from app import errors
from app.access.keys import Scope
from app.api.http.errors import STATUS
from app.cli import cli
from app.cli.lazy import LazyCommand
from app.config import PREFIX, PROJECT, Settings, known_names
from app.main import create_app
from tests.docs import javascript_client, reference

DOCS = {path.stem: path.read_text("utf-8") for path in (PROJECT / "docs").glob("*.md")}


def test_every_setting_is_documented():
    groups = {
        f"{PREFIX}{name}".upper()
        for name in (
            *("limits", "server", "rates", "cors", "urls", "detection", "inference", "gallery", "jobs", "milvus"),
            *("calibration", "liveness"),
            *("tracing", "oidc"),
            *("statistics", "backups", "cameras", "unknown_faces", "events", "delivery", "reviews"),
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


def test_every_error_of_the_commands_is_documented():
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.ArcidError)]
    codes = {each.code for each in classes if "code" in vars(each)} - {errors.ArcidError.code}
    of_jobs = {"job_cancelled", "job_interrupted", "item_invalid", "identity_erased"}  # no command ends with them
    missing = [code for code in sorted(codes - of_jobs) if f"`{code}`" not in DOCS["api"] + DOCS["commands"]]
    assert missing == []


def test_every_scope_has_its_column():
    header = re.search(r"^\| route (.*)$", DOCS["security"], re.MULTILINE)
    assert header is not None
    assert set(re.findall(r"`(\w+)`", header[1])) == {scope.value for scope in Scope}


def test_every_route_is_documented(settings):
    headings = set(re.findall(r"^## ([A-Z]+ /.*)$", DOCS["api"], re.MULTILINE))
    routes = set()
    for path, methods in create_app(settings).openapi()["paths"].items():
        assert path in DOCS["api"]
        routes |= {f"{method.upper()} {path}" for method in methods if not path.startswith(("/api/v1/", "/deepface/"))}
    status = {f"GET {path}" for path in ("/healthz", "/readyz", "/models", "/metrics")}  # under one heading
    assert headings == routes - status


def test_every_field_is_documented():
    document = reference.document()
    assert reference.PAGE.read_text("utf-8") == reference.rendered(document), "run: make docs"
    assert javascript_client.DOCUMENT.read_text("utf-8") == javascript_client.rendered(document), "run: make docs"


def test_every_metric_is_documented():
    source = "".join(path.read_text("utf-8") for path in (PROJECT / "app" / "api" / "http").glob("*metrics.py"))
    counters = r"Counter(?:MetricFamily)?\(\s*\"(arcid_\w+)"
    named = set(re.findall(r"\"(arcid_\w+)\"", source)) - set(re.findall(counters, source))
    named |= {f"{name}_total" for name in re.findall(counters, source)}
    table = DOCS["operations"].partition("## Metrics")[2].partition("\n#")[0]
    assert set(re.findall(r"`(arcid_\w+)`", table)) == named


def test_every_benchmark_is_documented():
    programs = [path for path in (PROJECT / "benchmarks").glob("*.py") if "__main__" in path.read_text("utf-8")]
    assert {f"benchmarks/{path.name}" for path in programs} <= set(re.findall(r"`(\S+)`", DOCS["benchmarks"]))


def commands(command, path=("arcid",)):
    command = command.load() if isinstance(command, LazyCommand) else command
    inner = getattr(command, "commands", {})
    own = [" ".join(path)] if not inner or command.invoke_without_command else []
    return own + [each for name, below in inner.items() for each in commands(below, (*path, name))]


def test_every_command_is_documented():
    headings = re.findall(r"^### (arcid .*)$", DOCS["commands"], re.MULTILINE)
    assert sorted(headings) == sorted(commands(typer.main.get_command(cli)))


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
