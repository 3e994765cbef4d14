"""Erases who has expired, one replica at a time, and finishes erasures that readers have held up."""

import threading
import time
from datetime import UTC, datetime, timedelta

from app.database.claims import Claims
from app.database.scrubbing import Scrubber
from app.errors import ArcidError, CollectionUnknown, IdentityUnknown
from app.identities.retention import Retention
from app.observability.logs import get_logger
from app.recognition.erasure import Traces
from app.recognition.gallery import Gallery

_log = get_logger(__name__)

_CLAIM = "retention"
_AT_ONCE = 100  # people between two claims
_RETRY = 1.0  # seconds until a held up erasure is tried again
_PASSING = (ArcidError, OSError, RuntimeError, MemoryError)


class Housekeeper:
    """A thread that sweeps every `every` seconds; see `start`, `stop`."""

    def __init__(
        self,
        gallery: Gallery,
        retention: Retention,
        claims: Claims,
        scrubber: Scrubber,
        *,
        every: float,
        traces: Traces | None = None,
    ) -> None:
        self._traces = traces
        self._gallery = gallery
        self._retention = retention
        self._claims = claims
        self._scrubber = scrubber
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arcid-housekeeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the person who is being erased."""
        self._stopping.set()
        self._thread.join()

    def sweep(self) -> int:
        """Erase who has expired, and return how many people; none while another replica does it."""
        erased = 0
        while not self._stopping.is_set() and self._claims.take(_CLAIM, timedelta(seconds=self._every + 60)):
            expired = self._retention.expired(datetime.now(UTC), _AT_ONCE)
            for collection, identity_id in expired:
                if self._stopping.is_set():
                    break
                try:
                    removed = self._gallery.remove_identity(collection, identity_id, only_expired=True).removed
                    if self._traces is not None:
                        self._traces.redact(collection.name, [identity_id, removed.name or ""])
                    erased += 1
                except (IdentityUnknown, CollectionUnknown):  # enrolled again, or deleted, meanwhile
                    continue
            if len(expired) < _AT_ONCE:
                break
        if erased:
            _log.info("retention.erased", identities=erased)
            self._scrubber.scrub()
        return erased

    def _run(self) -> None:
        swept = time.monotonic() - self._every  # at once
        while not self._stopping.wait(min(_RETRY, self._every)):
            try:
                if self._scrubber.is_pending:
                    self._scrubber.scrub()
                if time.monotonic() - swept >= self._every:
                    swept = time.monotonic()
                    self.sweep()
            except _PASSING as error:
                _log.warning("housekeeping.failed", error=error.code if isinstance(error, ArcidError) else repr(error))
