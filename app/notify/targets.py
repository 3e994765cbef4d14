"""Check that the names in rules and destinations exist: with a wrong one, they would never send anything."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.database.camera_table import CameraTable
from app.database.delivery_tables import DestinationTable
from app.database.tables import CollectionTable
from app.errors import CameraUnknown, CollectionUnknown, DestinationUnknown
from app.notify.rules import SightingRule

TARGETS = frozenset({"collections", "cameras", "send_to"})
"""Fields of a rule that name other things."""


def require_targets(session: Session, rule: SightingRule, fields: Iterable[str] = TARGETS) -> None:
    """Check the names in these fields of a rule.

    Raises CollectionUnknown; CameraUnknown, also if the camera searches no collection of the rule; DestinationUnknown.
    """
    checked = TARGETS.intersection(fields)
    if "collections" in checked:
        require_collections(session, rule.collections)
    if checked & {"collections", "cameras"}:
        _require_cameras(session, rule)
    if "send_to" in checked:
        for each in _missing(session, rule.send_to, DestinationTable.destination_id):
            raise DestinationUnknown(f"no destination has the id {each!r}; GET /destinations lists the ids")


def require_collections(session: Session, names: Iterable[str] | None) -> None:
    """Raise CollectionUnknown if one of these collections does not exist; None: all of them."""
    for each in _missing(session, names, CollectionTable.name):
        raise CollectionUnknown(each)


def _require_cameras(session: Session, rule: SightingRule) -> None:
    query = select(CameraTable.camera_id).where(CameraTable.camera_id.in_(rule.cameras or ()))
    among = ""
    if rule.collections is not None:
        query = query.join(CollectionTable, CollectionTable.id == CameraTable.collection_id)
        query = query.where(CollectionTable.name.in_(rule.collections))
        among = " in the rule's collections"
    known = set(session.scalars(query))
    for each in rule.cameras or ():
        if each not in known:
            raise CameraUnknown(f"there is no camera {each!r}{among}")


def _missing(session: Session, names: Iterable[str] | None, column: InstrumentedAttribute[str]) -> list[str]:
    wanted = [] if names is None else list(names)
    known = set(session.scalars(select(column).where(column.in_(wanted)))) if wanted else set()
    return [each for each in wanted if each not in known]
