import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.gallery.index.storage import keymap
from app.gallery.index.storage.keymap import KeyMap
from tests.gallery.index.fakes import keys_of

BATCHES = st.lists(st.tuples(st.booleans(), st.lists(st.integers(-5, 30), unique=True, max_size=8)), max_size=20)


@given(BATCHES)
def test_any_history_is_that_of_a_dict(history):
    map_, truth = KeyMap(), dict[int, int]()
    for turn, (is_set, keys) in enumerate(history):
        if is_set:
            map_.set(keys_of(*keys), np.arange(len(keys)) + 100 * turn)
            truth |= {key: 100 * turn + number for number, key in enumerate(keys)}
        else:
            map_.discard(keys_of(*keys))
            for key in keys:
                truth.pop(key, None)
        if turn % 3 == 2:
            map_._merge()
        assert len(map_) == len(truth)
        assert map_.keys().tolist() == sorted(truth)
        assert map_.find(np.arange(-5, 31)).tolist() == [truth.get(key, -1) for key in range(-5, 31)]


def test_new_keys_are_merged_when_they_are_many(monkeypatch):
    monkeypatch.setattr(keymap, "_MERGE_FROM", 10)
    map_ = KeyMap()
    for first in range(0, 100, 7):
        map_.set(np.arange(first, first + 7)[::-1].copy(), np.arange(7))
    assert len(map_._recent) < 10
    assert len(map_) == 105
