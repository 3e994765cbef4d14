from app.notify.delivery import DeliveryFailed, DeliveryState
from app.notify.delivery_log import Backlog, DeliveryLog
from tests.notify.receivers import FakeSender, append, dispatch, new_destination, new_queue, send_due


def test_deliveries_are_listed_in_pages(engine):
    destination = new_destination(engine)
    ids = append(engine, *range(5))
    dispatch(engine)
    log, listed = DeliveryLog(engine), []
    after: int | None = 0
    while after is not None:
        page = log.page(destination, after=after, limit=2)
        listed += page.items
        after = page.after
    assert [each.event_id for each in listed] == ids
    assert [each.position for each in listed] == [1, 2, 3, 4, 5]
    assert log.page(destination, state=DeliveryState.DEAD, after=0, limit=2).items == []


def test_the_backlog_counts_what_waits(engine):
    destination, sender, log = new_destination(engine), FakeSender(), DeliveryLog(engine)
    assert log.backlog() == Backlog(0, 0, None)
    append(engine, 1, 2)
    append(engine, 3, key="camera:yard")
    dispatch(engine)
    sender.failing["camera:door"] = DeliveryFailed("status 500")
    send_due(new_queue(engine), destination, sender)
    assert (log.backlog().pending, log.backlog().dead) == (2, 0)
    assert log.backlog().oldest is not None
