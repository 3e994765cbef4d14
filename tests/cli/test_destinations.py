from sqlalchemy import update

from app.config import read_settings
from app.container import Container
from app.database.delivery_tables import DeliveryTable
from app.errors import CollectionUnknown, DestinationDisabled, DestinationUnknown, RequestInvalid
from tests.notify.receivers import dispatch

URL = "https://hooks.example/secret-path"


def run(arcid, *arguments):
    result = arcid("destinations", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def created(arcid, *options):
    """Create a destination and return its id."""
    run(arcid, "create", URL, *options)
    return run(arcid, "list").splitlines()[-1].split()[0]


def test_a_secret_is_printed_alone_and_once(arcid):
    secret = run(arcid, "create", URL)
    assert secret.startswith("whsec_")
    assert len(secret.splitlines()) == 1
    destination = run(arcid, "list").splitlines()[-1].split()[0]
    assert run(arcid, "rotate", destination, "--hours", "1") not in {secret, ""}
    listed = run(arcid, "list")
    assert "https://hooks.example" in listed
    assert "secret-path" not in listed
    assert "whsec_" not in listed


def test_a_misspelled_collection_is_refused(arcid):
    assert isinstance(arcid("destinations", "create", URL, "--collection", "staf").exception, CollectionUnknown)


def test_a_destination_is_listed_with_what_it_gets(arcid):
    created(arcid, "--event", "job.finished", "--collection", "default", "--images")
    row = run(arcid, "list").splitlines()[-1].split()
    assert row[1:7] == ["webhook", "https://hooks.example", "job.finished", "default", "yes", "enabled"]


def test_dead_letters_are_listed_and_replayed(arcid):
    destination = created(arcid)
    event = run(arcid, "test", destination).split(":")[0]
    with Container(read_settings()) as container:
        engine = container.current_database.engine
        dispatch(engine)
        with engine.begin() as connection:
            connection.execute(update(DeliveryTable).values(state="dead", error="status 500", status=500))
    row = run(arcid, "deliveries", destination, "--state", "dead").splitlines()[1]
    assert all(each in row for each in (event, "dead", "status 500"))
    assert run(arcid, "replay", destination, "--event", event) == "1 delivery queued again\n"
    assert run(arcid, "replay", destination) == "0 deliveries queued again\n"


def test_a_disabled_destination_is_not_tested_and_a_deleted_one_is_unknown(arcid):
    destination = created(arcid)
    run(arcid, "disable", destination)
    assert isinstance(arcid("destinations", "test", destination).exception, DestinationDisabled)
    run(arcid, "enable", destination)
    run(arcid, "test", destination)
    run(arcid, "delete", destination)
    assert isinstance(arcid("destinations", "test", destination).exception, DestinationUnknown)


def test_a_url_that_events_are_not_sent_to(arcid):
    assert isinstance(arcid("destinations", "create", "http://hooks.example/").exception, RequestInvalid)
