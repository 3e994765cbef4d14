"""Statistics of recognition."""

from datetime import datetime

from arcid.calls import Call, query, text, value_reader
from arcid.figures import BucketSize, RecognitionOperation, Statistics


def get(
    *,
    collection: str | None = None,
    operation: RecognitionOperation | None = None,
    bucket: BucketSize | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Call[Statistics]:
    """Return counts and percentiles in hours or days (the default) of UTC; without a collection, of all of them."""
    times = {name: text(moment) for name, moment in (("since", since), ("until", until)) if moment is not None}
    parameters = query(collection=collection, operation=operation, bucket=bucket) | times
    return Call("GET", "/statistics", value_reader(Statistics), query=parameters, is_repeatable=True)
