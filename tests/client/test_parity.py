"""Parity of both clients, their types, dependencies and version."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

import httpx2
import pytest

import app
import arcid
from app.config import PROJECT
from arcid import AsyncClient, Client, NotFound
from arcid.answers import EnrollAnswer
from arcid.job import Job
from arcid.resources import Collection, ErasureReceipt, Identity, Page
from tests.client.conftest import Answers, async_client_of, client_of, json_answer, methods_of


def test_both_clients_have_the_same_methods_with_the_same_parameters():
    now, later = methods_of(Client()), methods_of(AsyncClient())
    assert {name: inspect.signature(each) for name, each in now.items()} == {
        name: inspect.signature(each) for name, each in later.items()
    }
    assert len(now) > 40
    assert all(each.__doc__ for each in now.values())
    own = inspect.signature(Client).parameters, inspect.signature(AsyncClient).parameters
    assert list(own[0]) == list(own[1])
    assert [each.default for each in own[0].values()] == [each.default for each in own[1].values()]


def test_methods_of_the_async_client_are_awaited_or_iterated():
    for name, method in methods_of(AsyncClient()).items():
        is_iterated = "iterate" in name or name in {"jobs.events", "events.stream"}
        assert inspect.isasyncgenfunction(method) == is_iterated, name
        assert inspect.iscoroutinefunction(method) != is_iterated, name
    for name, method in methods_of(Client()).items():
        assert inspect.isgeneratorfunction(method) == ("iterate" in name or name in {"jobs.events", "events.stream"}), (
            name
        )


def test_types_that_checkers_and_editors_see():
    """mypy checks the types in these lines; every call fails, because there are no answers."""
    with client_of(Answers(json_answer(404)), retries=0) as client:
        assert_type(client.identities.iterate(), Iterator[Identity])
        assert_type(client.jobs.events("j"), Iterator[Job])
        with pytest.raises(NotFound):
            assert_type(client.enroll(b""), EnrollAnswer)
        with pytest.raises(NotFound):
            assert_type(client.identities.delete("ada"), ErasureReceipt)
        with pytest.raises(NotFound):
            assert_type(client.collections.list(), Page[Collection])
        with pytest.raises(NotFound):
            assert_type(client.jobs.wait("j"), Job)
        with pytest.raises(NotFound):
            assert_type(client.jobs.download("j", "x"), Path)
        with pytest.raises(TypeError):
            client.enroll(b"", nmae="Ada")  # type: ignore[call-arg] # a type checker finds it too


def test_types_of_the_async_client():
    async def seen():
        async with async_client_of(Answers(json_answer(404)), retries=0) as client:
            assert_type(client.identities.iterate(), AsyncIterator[Identity])
            with pytest.raises(NotFound):
                assert_type(await client.enroll(b""), EnrollAnswer)
            with pytest.raises(NotFound):
                assert_type(await client.jobs.wait("j"), Job)

    asyncio.run(seen())


def test_nothing_of_the_service_is_needed():
    program = """
import sys, arcid, arcid.client
heavy = {"app", "numpy", "pydantic", "fastapi", "starlette", "onnxruntime", "faiss", "cv2", "PIL", "sqlalchemy"}
print(sorted({name.partition(".")[0] for name in sys.modules} & heavy))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT / "clients" / "python",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[]\n"


def test_only_httpx2_and_the_standard_library_are_imported():
    folder = Path(inspect.getfile(arcid)).parent
    assert folder == PROJECT / "clients" / "python" / "arcid"
    imported = {
        line.split()[1].partition(".")[0]
        for path in folder.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported - sys.stdlib_module_names == {"arcid", "httpx2"}
    assert (folder / "py.typed").is_file()


def test_the_version_is_the_services():
    assert arcid.__version__ == app.__version__


def test_an_iteration_fetches_a_page_when_it_is_reached():
    def page(name, cursor):
        return json_answer(200, errors=[{"number": 1, "item": name, "code": "c", "detail": "d"}], next_cursor=cursor)

    answers = Answers(page("a", "x y"), page("b", None))
    with client_of(answers) as client:
        items = client.jobs.iterate_errors("j", limit=1)
        assert answers.requests == []
        assert next(items).item == "a"
        assert len(answers.requests) == 1
        assert [each.item for each in items] == ["b"]
    assert [each.url.query for each in answers.requests] == [b"limit=1", b"limit=1&cursor=x+y"]


def test_a_stream_that_breaks_is_an_error_of_ours():
    def broken(request):
        del request

        def content():
            yield b"event: progress\ndata: "
            raise httpx2.ReadError("lost")

        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=content())

    with Client(transport=httpx2.MockTransport(broken)) as client, pytest.raises(arcid.ConnectionFailed, match="lost"):
        list(client.jobs.events("j"))


def test_a_download_that_breaks_leaves_no_file(tmp_path):
    calls = []

    def broken(request):
        calls.append(request)

        def content():
            yield b"half"
            raise httpx2.ReadError("lost")

        whole = len(calls) > 1
        return httpx2.Response(200, content=b"whole" if whole else content())

    with Client(transport=httpx2.MockTransport(broken), retries=0) as client:
        with pytest.raises(arcid.ConnectionFailed):
            client.jobs.download("j", tmp_path / "a.zip")
        assert list(tmp_path.iterdir()) == []
        assert client.jobs.download("j", tmp_path / "a.zip").read_bytes() == b"whole"
        assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]
