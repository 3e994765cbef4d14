import numpy as np
import pytest
from sqlalchemy import delete, update
from structlog.testing import capture_logs

from app.config import read_settings
from app.container import Container
from app.database.tables import CollectionTable, FaceTable
from app.errors import CollectionUnknown, SchemaOutdated
from app.gallery.index.flat import FlatIndex
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.gallery.store.values import NewFace, Person
from app.types import Detection
from app.vision.quality import Quality
from app.wiring.storage import open_database


def enroll(identity_id: str, faces: int = 1, *, collection: str = "people") -> None:
    store = Container(read_settings()).store
    detection = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))
    vectors = np.random.default_rng(len(identity_id)).normal(size=(faces, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    new = [
        NewFace(f"{collection}-{identity_id}-{number}", vector, 1, Quality(0.5), detection, "0" * 64)
        for number, vector in enumerate(vectors.astype(np.float32))
    ]
    store.enroll(store.collection(collection), Person(identity_id), new)


@pytest.fixture
def people(arcid, tiny):
    """The collection `people` with the faces 1 to 8, and nobody in `others`."""
    for name in ("people", "others"):
        assert arcid("collections", "create", name).exit_code == 0
    enroll("ada", 5)
    enroll("bob", 3)
    return Container(read_settings()).store.collection("people")


@pytest.fixture
def folder(home, people):
    """Where the snapshot of `people` lies."""
    return home / "index" / people.uid


def run(arcid, *arguments: str) -> tuple[int, list[str]]:
    with capture_logs():
        result = arcid("index", *arguments)
    return result.exit_code, result.output.splitlines()


def without_the_database_noticing(statement) -> None:
    """Change rows behind the change log's back."""
    with open_database(read_settings()) as database, database.engine.begin() as connection:
        connection.execute(statement)


def rows(arcid) -> dict[str, str]:
    status, (_, *lines) = run(arcid, "status")
    assert status == 0
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


# status


def test_the_status_of_each_collection(arcid, people, folder):
    assert rows(arcid) == {"people": "auto (exact) 8 2 none", "others": "auto (exact) 0 0 none"}
    run(arcid, "rebuild", "people")
    size = sum(path.stat().st_size for path in folder.iterdir())
    told = rows(arcid)
    assert told["others"] == "auto (exact) 0 0 none"
    assert told["people"] == f"auto (exact) 8 2 revision 2, exact, 8 faces in 1 file, {size:,} bytes"
    enroll("eve")
    assert rows(arcid)["people"].startswith("auto (exact) 9 3 revision 2, exact, 8 faces")


def test_the_status_of_a_damaged_snapshot(arcid, people, folder, flip):
    run(arcid, "rebuild")
    flip(folder / "manifest.json")
    assert "damaged" in rows(arcid)["people"]


def test_a_collection_may_have_its_own_kind(arcid, people):
    without_the_database_noticing(
        update(CollectionTable).where(CollectionTable.name == "people").values(index_kind="exact")
    )
    assert rows(arcid)["people"].startswith("exact 8")
    assert run(arcid, "rebuild", "people") == (0, ["people: 8 faces, exact"])


# rebuild


def test_indexes_are_built_and_saved(arcid, people, folder):
    assert run(arcid, "rebuild") == (0, ["others: 0 faces, exact", "people: 8 faces, exact"])
    assert (folder / "manifest.json").exists()
    assert len(list(folder.glob("*.segment"))) == 1


def test_rebuilding_replaces_what_lies_there(arcid, people, folder):
    foreign = FlatIndex(3)
    foreign.add(np.arange(1, 9), np.ones((8, 3), np.float32))
    foreign.save(folder, SnapshotOrigin("tiny-net", people.uid), 2)
    assert run(arcid, "verify", "people")[0] == 1
    assert run(arcid, "rebuild", "people")[0] == 0
    assert run(arcid, "verify", "people")[0] == 0


# verify


def test_indexes_that_are_as_the_database(arcid, people):
    expected = [
        "others: 0 faces, as in the database at revision 0",
        "people: 8 faces, as in the database at revision 2",
    ]
    assert run(arcid, "verify") == (0, expected)
    run(arcid, "rebuild")
    assert run(arcid, "verify") == (0, expected)
    enroll("eve")
    assert run(arcid, "verify", "people") == (0, ["people: 9 faces, as in the database at revision 3"])


def test_what_was_deleted_from_the_database_in_secret(arcid, people):
    run(arcid, "rebuild")
    without_the_database_noticing(delete(FaceTable).where(FaceTable.id.in_([2, 5])))
    assert run(arcid, "verify") == (
        1,
        ["others: 0 faces, as in the database at revision 0", "people: 2 not enrolled (keys 2, 5)"],
    )


def test_what_was_changed_in_the_database_in_secret(arcid, people):
    run(arcid, "rebuild")
    vector = np.array([1, 0, 0], "<f4").tobytes()
    without_the_database_noticing(update(FaceTable).where(FaceTable.id <= 7).values(embedding=vector))
    assert run(arcid, "verify", "people") == (1, ["people: 7 of another vector or person (keys 1, 2, 3, 4, 5, ...)"])
    assert run(arcid, "verify", "others")[0] == 0


def test_a_whole_snapshot_that_lies(arcid, people, folder):
    store = Container(read_settings()).store
    ((keys, vectors, owners),) = store.templates(people)
    lying = FlatIndex(3)
    lying.add(keys[:-1], vectors[:-1], owners=owners[:-1])
    lying.add(np.array([99]), vectors[:1])
    lying.save(folder, SnapshotOrigin("tiny-net", people.uid), 2)
    assert run(arcid, "verify", "people") == (1, ["people: 1 missing (keys 8); 1 not enrolled (keys 99)"])


def test_a_damaged_snapshot_is_mended_not_blamed(arcid, people, folder, flip):
    run(arcid, "rebuild")
    (segment,) = folder.glob("*.segment")
    flip(segment)
    assert run(arcid, "verify", "people") == (0, ["people: 8 faces, as in the database at revision 2"])
    flip(folder / "manifest.json")
    assert run(arcid, "verify", "people") == (0, ["people: 8 faces, as in the database at revision 2"])


# All of them


@pytest.mark.parametrize("command", ["rebuild", "verify"])
def test_a_collection_that_does_not_exist(arcid, people, command):
    assert isinstance(arcid("index", command, "nobody").exception, CollectionUnknown)


@pytest.mark.parametrize("command", ["status", "rebuild", "verify"])
def test_a_database_of_another_version_is_left_alone(arcid, tmp_path, monkeypatch, command):
    monkeypatch.setenv("ARCID_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    assert isinstance(arcid("index", command).exception, SchemaOutdated)


def test_recall_compares_with_exact_search(arcid, people):
    status, lines = run(arcid, "recall", "people", "--probes", "5")
    assert status == 0
    assert lines[0].strip().startswith("people, exact, 8 faces")
    assert [line.split()[-3:] for line in lines[1:]] == [["1.0000", "1.0000", "1.0000"]] * 2


def test_recall_of_nobody_prints_no_figures(arcid, people):
    assert run(arcid, "recall", "others") == (0, ["others: no faces, so there is nothing to compare"])
