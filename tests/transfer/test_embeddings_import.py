import json
from pathlib import Path

import numpy as np
import pytest

from app.errors import CollectionUnknown, FileUnusable, ModelMismatch
from app.gallery.store.bulk import BulkWriter
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import CollectionSettings
from app.transfer import embeddings_import as embeddings
from app.transfer.embeddings_import import EmbeddingsImport
from tests.transfer.fakes import MODEL, D, Recorded, Stopped, units


@pytest.fixture
def caught_up() -> list[int]:
    """To which revisions the index was brought."""
    return []


@pytest.fixture
def run(engine, tmp_path, caught_up):
    """Import lines (objects, or bytes as they are) into `people`."""
    IdentityStore(engine).create_collection(
        "people", model=MODEL, dimension=D, settings=CollectionSettings(enroll_quality=0.25)
    )

    def run(*said, progress=None, model=MODEL, collection="people"):
        path = tmp_path / "faces.ndjson"
        written = (each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in said)
        path.write_bytes(b"".join(written))
        work = EmbeddingsImport(
            IdentityStore(engine), BulkWriter(engine), catch_up=lambda _, revision: caught_up.append(revision)
        )
        return work.run(path, progress or Recorded(), collection=collection, model=model)

    return run


def line(identity_id="ada", seed=0, **more):
    return {"identity_id": identity_id, "embedding": units(1, seed=seed)[0].tolist(), **more}


def test_what_comes_in(run, store, caught_up):
    raw = (units(1, seed=1)[0] * 20).tolist()
    done = run(
        line(name="Ada", metadata={"a": 1}, quality=0.5),
        {"identity_id": "bob", "embedding": raw},
        line("ada", 2, norm=17.5),
    )
    assert (done.faces, done.identities, done.skipped, done.refused) == (3, 2, 0, 0)
    people = store.collection("people")
    assert (people.faces, people.identities, people.revision) == (3, 2, 1)
    assert caught_up == [1]
    ada, bob = store.enrolled(people, "ada"), store.enrolled(people, "bob")
    assert (ada.name, bob.name) == ("Ada", None)
    assert np.allclose(ada.qualities, [0.5, 0.5])
    assert np.allclose(bob.vectors, units(1, seed=1), atol=1e-6)
    norms = {each.norm for each in store.owners(np.concatenate([ada.keys, bob.keys]).tolist()).values()}
    assert sorted(round(norm, 3) for norm in norms) == [1.0, 17.5, 20.0]


def test_again_brings_nothing_twice_but_news_of_people(run, store):
    run(line(name="Ada"), line("bob", 1))
    done = run(line(name="Countess"), line(name="Countess"), line("bob", 2))
    assert (done.faces, done.identities, done.skipped) == (1, 0, 2)
    assert store.collection("people").faces == 3


def test_bad_lines_are_refused_and_the_rest_goes_in(run, store):
    progress = Recorded()
    good = line()
    done = run(
        b"no json\n",
        good,
        b"\n",
        {**good, "embedding": [1.0] * (D - 1)},
        {**good, "embedding": [0.0] * D},
        {**good, "embedding": [float("nan")] * D},
        {**good, "embedding": [1e308] * D},
        {**good, "embedding": ["1"] * D},
        {**good, "embedding": "text"},
        {**good, "identity_id": ""},
        {**good, "name": "a\nb"},
        {**good, "quality": 2},
        {**good, "quality": 0.1},
        {**good, "surprise": 1},
        b"\xff\xfe\n",
        b'{"identity_id": "' + b"x" * 600_000 + b'"}\n',
        json.dumps(line("bob", 5)).encode(),
        progress=progress,
    )
    assert (done.faces, done.identities, done.refused) == (2, 2, 14)
    assert [item for item, *_ in progress.refused] == [f"line {n}" for n in (1, *range(4, 17))]
    codes = [code for _, code, _ in progress.refused]
    assert progress.refused[0][2].startswith("Invalid JSON")
    assert codes[:4] == ["line_invalid", "embedding_invalid", "embedding_invalid", "line_invalid"]
    assert "low_quality" in codes
    assert progress.said[-1] == (17, 17)


def test_another_network_or_collection(run, store, engine):
    with pytest.raises(ModelMismatch):
        run(line(), model="other")
    with pytest.raises(CollectionUnknown):
        run(line(), collection="nobody")
    assert store.collection("people").faces == 0
    work = EmbeddingsImport(store, BulkWriter(engine), catch_up=lambda _, __: None)
    with pytest.raises(FileUnusable):
        work.run(Path("/nowhere"), Recorded(), collection="people", model=MODEL)


def test_it_goes_on_where_it_was_stopped(run, store, monkeypatch):
    monkeypatch.setattr(embeddings, "_LINES_AT_ONCE", 4)
    said = [line(f"p{n}", n) for n in range(10)]
    progress = Recorded(stop_after=2)
    with pytest.raises(Stopped):
        run(*said, progress=progress)
    assert progress.checkpoint["lines"] == 8
    assert progress.checkpoint["counts"]["faces"] == 8
    assert run(*said, progress=Recorded(progress.checkpoint)).faces == 10
    assert store.collection("people").faces == 10


def test_an_empty_file(run):
    assert run() == embeddings.EmbeddingsImported()


def test_a_missing_file_is_reported_before_a_wrong_network(engine, run, tmp_path):
    work = EmbeddingsImport(IdentityStore(engine), BulkWriter(engine), catch_up=lambda *_: None)
    with pytest.raises(FileUnusable, match=r"nobody\.ndjson cannot be read"):
        work.run(tmp_path / "nobody.ndjson", Recorded(), collection="people", model="other")


@pytest.mark.parametrize(
    ("head", "named"),
    [(b"PK\x03\x04", "a ZIP file"), (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"), (b"Rar!\x1a\x07", "a RAR")],
)
def test_another_kind_of_file_is_named(run, head, named):
    with pytest.raises(FileUnusable, match=named):
        run(head + bytes(20))
