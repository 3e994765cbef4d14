from app.database.scrubbing import TABLES
from app.database.table_types import Base

NOT_PERSONAL = {
    *("api_keys", "audit", "audit_head", "claims", "collections", "data_keys", "sessions"),
    *("changes", "shared_indexes", "calibration_versions", "probe_moments", "liveness_calibrations", "statistics"),
    *("liveness_challenges", "liveness_frames"),
    *("delivery_head", "delivery_lanes", "event_positions", "rules", "unknown_separations"),
}
"""Tables whose deleted rows show nothing about the people of a gallery."""


def test_deleted_personal_data_is_purged_from_every_table_that_has_some():
    assert set(TABLES) == Base.metadata.tables.keys() - NOT_PERSONAL
    assert len(TABLES) == len(set(TABLES))
