import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Person
from tests.gallery.store.enrolling import D, new_face

PEOPLE: dict[str, dict[str, Any]] = {
    "text": {"a": "x", "b": "y"},
    "part": {"a": "xy"},
    "capital": {"a": "X"},
    "inside": {"c": {"a": "x"}},
    "one": {"a": 1},
    "float": {"a": 1.0},
    "true": {"a": True},
    "false": {"a": False},
    "null": {"a": None},
    "list": {"a": ["x"]},
    "empty": {},
    "odd": {'"%_/\\é\u0000': "100% \\ \"é/_'"},
}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"a": "x"}, {"text"}),
        ({"a": "x", "b": "y"}, {"text"}),
        ({"a": "x", "b": "x"}, set()),
        ({"a": "X"}, {"capital"}),
        ({"a": 1}, {"one", "float"}),
        ({"a": 1.0}, {"one", "float"}),
        ({"a": True}, {"true"}),
        ({"a": False}, {"false"}),
        ({"a": None}, {"null"}),
        ({"a": "1"}, set()),
        ({"z": None}, set()),
        ({'"%_/\\é\u0000': "100% \\ \"é/_'"}, {"odd"}),
        ({"%": "x"}, set()),
    ],
)
def test_members_and_their_values_decide(store, people, where, found):
    other = store.create_collection("other", model="net", dimension=D)
    for name, metadata in PEOPLE.items():
        store.enroll(people, Person(name, metadata=metadata), [new_face(), new_face()])
        store.enroll(other, Person(name, metadata=metadata), [new_face()])
    part = store.filter_faces(people, where)
    owners = store.owners(part.keys.tolist()).values()
    assert {each.identity_id for each in owners} == found
    assert (part.identities, len(part.keys)) == (len(found), 2 * len(found))


_NUMBERS = st.sampled_from([-0.0, 0, 2.0, 10**16, 1e16, 10**22, 1e22, 1e-7, 9007199254740993, 1e300])
_VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), _NUMBERS, st.text(max_size=3))
_METADATA = st.dictionaries(st.sampled_from(["a", 'b"', "c\\u00e9", "é", "%"]), _VALUES, max_size=3)


@settings(max_examples=15)
@given(metadata=st.lists(_METADATA, min_size=1, max_size=5), where=_METADATA.filter(bool))
def test_the_same_as_a_plain_comparison(databases, metadata, where):
    metadata, where = (json.loads(json.dumps(each)) for each in (metadata, where))
    with databases.engine() as engine:
        store = IdentityStore(engine)
        people = store.create_collection("people", model="net", dimension=D)
        for number, each in enumerate([*metadata, where]):
            store.enroll(people, Person(str(number), metadata=each), [new_face()])
        found = {each.identity_id for each in store.owners(store.filter_faces(people, where).keys.tolist()).values()}
        expected = {
            str(number)
            for number, each in enumerate([*metadata, where])
            if all(
                name in each and each[name] == value and isinstance(each[name], bool) == isinstance(value, bool)
                for name, value in where.items()
            )
        }
        assert found == expected
