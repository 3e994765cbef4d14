import numpy as np
import pytest
from sqlalchemy import select

from app.database.tables import IdentityTable
from app.gallery.store.bulk import BulkWriter, FaceBlock
from app.gallery.store.editing import EditingRepository
from app.gallery.store.listing import ListingRepository
from app.gallery.store.name_search import words
from app.gallery.store.records import IdentityOrder, PersonChange
from app.gallery.store.snapshot import CollectionExporter
from app.gallery.store.subjects import SubjectRepository
from app.gallery.store.values import Person
from tests.gallery.store.enrolling import D, enroll, new_face


@pytest.mark.parametrize(
    ("name", "identity_id", "expected"),
    [
        (None, "Angela_Merkel", " angela merkel"),
        ("Zoë Ångström-O'Neil", "p-17", " zoe angstrom o neil p 17"),
        ("Straße ŁÓDŹ", "x", " strasse lodz x"),
        ("王小明", "w", " 王 小 明 w"),
        ("Ada", "ada", " ada"),
        ("***", "~", ""),
        ("x" * 256, "y" * 128, " " + "x" * 256 + " " + "y" * 128),
        ("ﬃ" * 256, "z", None),
    ],
)
def test_words_have_no_case_accents_and_separators(name, identity_id, expected):
    found = words(name, identity_id)
    assert found == expected if expected is not None else len(found) == 500


@pytest.mark.parametrize(("text", "found"), [("小明", 1), ("明", 1), ("明小", 1), ("小x", 0), ("王小", 1)])
def test_names_without_spaces_are_found_by_each_letter(engine, store, people, text, found):
    store.enroll(people, Person("w", "王小明"), [new_face()])
    assert ListingRepository(engine).identities(people, after=0, limit=9, text=text).total == found


def test_every_write_of_a_name_or_id_updates_the_words(engine, store, people):
    def are_current():
        with engine.connect() as connection:
            rows = connection.execute(select(IdentityTable.name, IdentityTable.identity_id, IdentityTable.words)).all()
        assert [row.words for row in rows] == [words(row.name, row.identity_id) for row in rows]
        return {row.identity_id: row.words for row in rows}

    editing, subjects = EditingRepository(engine), SubjectRepository(engine)
    enroll(store, people, "ada")
    subjects.create(people, Person("bob", "Bob"))
    store.enroll(people, Person("eve", "Eve Nova"), [new_face()])
    assert are_current() == {"ada": " ada", "bob": " bob", "eve": " eve nova"}
    editing.change(people, "bob", PersonChange("Robert", has_name=True))
    store.enroll(people, Person("ada", "Ada Lovelace"), [new_face()])
    subjects.rename(people, "bob", "rob")
    editing.merge(people, "ada", "rob")
    assert are_current() == {"rob": " robert rob", "eve": " eve nova"}
    with CollectionExporter(engine).snapshot("people") as snapshot:
        block = FaceBlock(list(snapshot.people()), list(snapshot.faces()), np.concatenate(list(snapshot.vectors())))
    other = store.create_collection("other", model="net", dimension=D)
    store.remove_identity(people, "eve")
    BulkWriter(engine).add(people, block, origin={})
    are_current()
    store.remove_face(people, next(each.face_id for each in block.faces if each.identity_id == "rob"))
    editing.change(people, "rob", PersonChange("Bobby", has_name=True))
    BulkWriter(engine).add(people, block, origin={}, is_updating=True)
    assert are_current()["rob"] == " robert rob"
    listing = ListingRepository(engine)
    by_name = listing.identities(people, after=0, limit=9, order=IdentityOrder.NAME)
    assert ([each.identity_id for each in by_name.items], by_name.total) == (["eve", "rob"], 2)
    assert listing.identities(other, after=0, limit=9).total == 0
