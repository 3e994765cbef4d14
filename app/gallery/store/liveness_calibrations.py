"""Calibrations of liveness in the database, so that all replicas decide by the same thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.liveness_calibration_table import LivenessCalibrationTable
from app.database.tables import CollectionTable
from app.gallery.store import rows
from app.gallery.store.values import Collection


@dataclass(frozen=True, slots=True)
class MeasuredRate:
    """An error rate: `errors` of so many `photos` of `people`, and its 95 % interval.

    From few photos, `rate` and `interval` are None, and it is only known to be `at_most` so high.
    """

    errors: int
    photos: int
    people: int
    rate: float | None
    interval: tuple[float, float] | None
    at_most: float | None


@dataclass(frozen=True, slots=True)
class LivenessCalibration:
    """Thresholds of liveness (see `LivenessThresholds`), and how they were chosen.

    They hold for the networks of the `fingerprint`, on faces found by the `detector`. `max_bpcer` and `max_apcer` were
    asked for. `bpcer` is that of live people, `apcer` that of each kind of attack; empty without photos of attacks.
    `version` is 1, 2, 3 ... in each collection.
    """

    at: datetime
    fingerprint: str
    sha256s: Mapping[str, str]
    detector: str
    live_from: float
    attack_below: float
    max_bpcer: float | None
    max_apcer: float | None
    bpcer: MeasuredRate
    apcer: Mapping[str, MeasuredRate]
    version: int = 0


class LivenessCalibrationRepository:
    """The calibrations of liveness of collections. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def write(self, name: str, calibration: LivenessCalibration) -> LivenessCalibration:
        """Store a collection's next version and return it; raises CollectionUnknown."""
        table = LivenessCalibrationTable
        with Session(self._writing) as session, session.begin():
            key = session.scalar(select(CollectionTable.id).where(CollectionTable.name == name).with_for_update())
            if key is None:
                raise rows.unknown(name)
            newest = session.scalar(select(func.max(table.version)).where(table.collection_id == key))
            numbered = replace(calibration, version=(newest or 0) + 1)
            form: dict[str, Any] = _FORM.dump_python(numbered, mode="json")
            session.add(table(collection_id=key, version=numbered.version, calibration=form))
            session.flush()
            audit.append(session, Action.COLLECTION_CHANGED, collection=name, detail={"liveness_calibration": form})
        return numbered

    def newest(self, collection: Collection) -> LivenessCalibration | None:
        """Return the newest calibration of a collection, None without one."""
        table = LivenessCalibrationTable
        query = select(table.calibration).where(table.collection_id == collection.key).order_by(table.version.desc())
        with self._reading.connect() as connection:
            form = connection.scalar(query.limit(1))
        return None if form is None else _FORM.validate_python(form)


_FORM = TypeAdapter(LivenessCalibration)
