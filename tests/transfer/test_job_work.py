"""Model migration as a job: its progress."""

from app.recognition.migration import MigrationOutcome
from app.transfer.job_kinds import MigrationParameters
from app.transfer.job_work import migrate
from tests.transfer.fakes import Recorded

PARAMETERS = MigrationParameters(collection="people", model="two", on_missing="refuse", switch=True)


class Change:
    """A migration of 64 faces that starts where the previous one was killed, and is killed 16 faces later."""

    ready = 0

    def embed_and_switch(self, _name, model, *, is_switched, on_progress, **_more):
        on_progress(self.ready, 64)
        self.ready += 16
        on_progress(self.ready, 64)
        return MigrationOutcome("one", model, 64, is_switched=is_switched)


def test_what_was_embedded_counts_as_progress_whoever_dies_then():
    change, progress = Change(), Recorded()
    reached = []
    for _ in range(4):
        migrate(change, PARAMETERS, progress)  # type: ignore[arg-type] # has the one method that is called
        reached.append(progress.checkpoint)
    assert [each["ready"] for each in reached] == [16, 32, 48, 64]
    assert reached[1]["counts"] == {"faces": 32, "is_switched": False}  # the result if it is cancelled then


def test_what_comes_no_further_is_no_progress():
    change, progress = Change(), Recorded({"ready": 64})
    migrate(change, PARAMETERS, progress)  # type: ignore[arg-type] # has the one method that is called
    assert progress.checkpoint == {"ready": 64}
