import pytest

from app.database import outbox
from app.database.cipher import Master, new_secret
from app.database.event_images import seal_image
from app.database.outbox import EventKind, NewEvent
from app.database.vault import Vault
from app.errors import EventImageUnknown
from app.notify.event_log import EventFilter, EventLog

DOOR, YARD = "camera:door", "camera:yard"
UNKNOWN, KNOWN, JOB = EventKind.PERSON_UNKNOWN, EventKind.PERSON_RECOGNISED, EventKind.JOB_FINISHED


@pytest.fixture
def log(engine):
    with engine.begin() as connection:
        outbox.append(
            connection,
            NewEvent(UNKNOWN, DOOR, collection="a"),
            NewEvent(KNOWN, DOOR, {"name": "Ada"}, collection="b", subject="ada"),
            NewEvent(KNOWN, YARD, collection="a", subject="ada"),
            NewEvent(JOB, "job:1"),
        )
    return EventLog(engine)


def found(log, chosen=EventFilter(), **options):  # noqa: B008 - frozen
    return [each.position for each in log.page(chosen, limit=9, **options).items]


def test_events_have_positions_when_they_are_listed(log):
    assert log.end() == 0
    assert found(log) == [1, 2, 3, 4]
    assert log.end() == 4


def test_events_come_in_pages_in_both_orders(log):
    page = log.page(EventFilter(), limit=3)
    assert ([each.position for each in page.items], page.after) == ([1, 2, 3], 3)
    assert found(log, after=3) == [4]
    page = log.page(EventFilter(), limit=3, is_newest_first=True)
    assert ([each.position for each in page.items], page.after) == ([4, 3, 2], 2)
    assert found(log, after=2, is_newest_first=True) == [1]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (EventFilter(kinds=[KNOWN, JOB]), [2, 3, 4]),
        (EventFilter(camera="door"), [1, 2]),
        (EventFilter(collections={"a"}), [1, 3]),
        (EventFilter(collections=frozenset()), []),
        (EventFilter(kinds=[KNOWN], camera="yard", collections={"a", "b"}), [3]),
    ],
)
def test_a_filter_means_the_same_in_the_database_and_in_memory(log, chosen, expected):
    assert found(log, chosen) == expected
    everything = log.page(EventFilter(), limit=9).items
    assert [each.position for each in everything if chosen.includes(each)] == expected


def test_all_events_about_a_person(log):
    (event,) = log.about("b", "ada")
    assert (event.position, event.data, event.subject) == (None, {"name": "Ada"}, "ada")
    assert log.about("b", "bob") == []


def test_an_image_is_for_those_who_may_see_the_event(engine):
    vault = Vault(engine, Master(new_secret()))
    vault.open_keys()
    with engine.begin() as connection:
        image = seal_image(vault, "e", b"JPEG")
        outbox.append(connection, NewEvent(UNKNOWN, DOOR, collection="a", image=image, event_id="e"))
        outbox.append(connection, NewEvent(UNKNOWN, DOOR, collection="a", event_id="without"))
        outbox.append(connection, NewEvent(UNKNOWN, DOOR, collection="a", image=b"broken", event_id="broken"))
    log = EventLog(engine, vault)
    assert [each.has_image for each in log.page(EventFilter(), limit=9).items] == [True, False, True]
    assert log.image("e") == log.image("e", {"a"}) == b"JPEG"
    for event_id, collections in (("e", {"b"}), ("without", None), ("broken", None), ("nothing", None)):
        with pytest.raises(EventImageUnknown):
            log.image(event_id, collections)
