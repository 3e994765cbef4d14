import pytest

from app.database.vault import Vault
from app.errors import CameraUnknown, CollectionUnknown, DestinationUnknown
from app.gallery.store.camera_values import CameraKind, CameraSetup
from app.gallery.store.cameras import CameraRepository
from app.gallery.store.identities import IdentityStore
from app.notify.rule_store import RuleStore
from tests.gallery.store.enrolling import D
from tests.notify.receivers import new_destination
from tests.notify.sightings import rule


@pytest.fixture
def store(engine):
    """A store of rules, with the collections `people` and `guests`, and the camera `door` of the first."""
    for name in ("people", "guests"):
        IdentityStore(engine).create_collection(name, model="net", dimension=D)
    CameraRepository(engine, Vault(engine)).create(CameraSetup("door", "people", CameraKind.POSTED, None, 5), most=9)
    return RuleStore(engine)


def test_a_rule_names_what_exists(store, engine):
    guard = new_destination(engine).destination_id
    made = store.create(rule(collections=["people"], cameras=["door"], send_to=[guard]))
    assert (made.cameras, made.send_to) == (["door"], [guard])
    assert store.create(rule(cameras=["door"])).cameras == ["door"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"collections": ["people", "peple"]}, CollectionUnknown),
        ({"cameras": ["dor"]}, CameraUnknown),
        ({"collections": ["guests"], "cameras": ["door"]}, CameraUnknown),
        ({"send_to": ["guard"]}, DestinationUnknown),
    ],
)
def test_a_wrong_name_is_refused(store, fields, error):
    made = store.create(rule())
    for act in (lambda: store.create(rule(**fields)), lambda: store.change(made.rule_id, fields)):
        with pytest.raises(error, match=r"^(there is no|no destination)[^\"]*$"):
            act()
    assert len(store.page(after=0, limit=9).items) == 1


def test_a_rule_whose_destination_is_gone_can_still_be_changed(store, engine):
    guard = new_destination(engine)
    made = store.create(rule(send_to=[guard.destination_id]))
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM destinations")
    assert not store.change(made.rule_id, {"is_enabled": False}).is_enabled
