"""benchmarks/event_delivery.py: it notices what is wrong, and a few kills lose nothing."""

import json
from contextlib import closing

import pytest
from event_delivery import expected_events, run, violations
from event_receiver import Record, read_record

from tests.conftest import DATA


def received(renames=2, collection="door-0"):
    """Return what a receiver gets of the renames of a collection."""
    return [
        {
            "type": kind,
            "data": {
                "collection": collection,
                "identity_id": identity_id,
                **({} if into is None else {"into": into}),
                "event_id": f"{collection}-{at}",
                "position": at,
            },
        }
        for at, (kind, identity_id, into) in enumerate(expected_events(renames), 1)
    ]


def test_all_events_in_order_are_right_also_if_the_last_one_comes_again():
    events = received() + received(collection="door-1")
    assert violations([*events[:3], events[2], *events[3:]], {"door-0": 2, "door-1": 2}) == []


@pytest.mark.parametrize(
    ("events", "what"),
    [
        (received()[:2] + received()[3:], "1 missing"),
        (received()[:-1], "1 missing"),
        (received(3), "2 invented"),
        ([received()[1], received()[0], *received()[2:]], "position 1 arrived after 2"),
        ([*received(), received()[0]], "position 1 arrived after 5"),
        (received() + received(1, "nowhere"), "no such collection"),
    ],
)
def test_lost_invented_and_reordered_events_are_found(events, what):
    assert what in "".join(violations(events, {"door-0": 2}))


def test_a_record_survives_a_line_that_was_cut_short(tmp_path):
    path = tmp_path / "record"
    with closing(Record(path)) as record:
        record.add({"number": 1})
    with path.open("ab") as file:
        file.write(json.dumps({"number": 2}).encode()[:-3])
    with closing(Record(path)) as record:
        record.add({"number": 3})
    assert read_record(path) == [{"number": 1}, {"number": 3}]


def test_a_kill_of_the_service_and_one_of_the_receiver_lose_nothing(network, monkeypatch, tmp_path):
    network("open", "sface.onnx")
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    assert run(2, keys=2, has_mqtt=False, folder=tmp_path, report=lambda _: None) == []
