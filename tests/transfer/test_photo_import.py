"""The import of photos, on galleries in which a person is a colour."""

import pytest

from app.errors import CollectionUnknown, JobCancelled
from app.gallery.store.values import CollectionSettings, Reaction
from app.recognition.candidates import nearest_candidates
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.face_choice import FaceChoice
from app.transfer.bulk_enrollment import BulkEnrollment
from app.transfer.photo_import import PhotoImport
from app.transfer.photo_sources import open_source
from tests.recognition.conftest import analysis, gallery  # noqa: F401 - fixtures
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, WHITE, photo, vector_of
from tests.transfer.test_photo_sources import folder


class Watched:
    """A Progress that keeps everything, and asks for the end after so many items."""

    def __init__(self, checkpoint=None, end_after=None, end=JobCancelled):
        self.checkpoint = checkpoint or {}
        self.refused, self.done, self.total = [], 0, None
        self._end_after, self._end = end_after, end

    def advance(self, done, *, total=None, checkpoint=None):
        self.done, self.total = done, total or self.total
        self.checkpoint = checkpoint or self.checkpoint
        if self._end_after is not None and done >= self._end_after:
            raise self._end("enough")

    def refuse(self, item, code, detail):
        assert detail
        self.refused.append((item, code))


@pytest.fixture
def enrollment(analysis, gallery):  # noqa: F811 - a fixture
    return EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))


@pytest.fixture
def run(enrollment, gallery):  # noqa: F811 - a fixture
    def run(path, progress=None, choice=FaceChoice.ONLY, threads=2):
        bulk = BulkEnrollment(enrollment, gallery, "people", choice)
        with open_source(path) as source:
            work = PhotoImport(bulk, threads=threads, most_bytes=10**6, is_polite=True)
            return work.run(source, progress or Watched())

    return run


def counted(gallery):  # noqa: F811 - a fixture
    gallery.follow()
    (state,) = gallery.states()
    assert state.indexed == state.faces
    return state.faces, gallery.collection("people").identities


FILES = {
    "ada/1.png": photo(RED),
    "ada/2.png": photo(PINK),
    "ada/again.png": photo(RED),
    "ada/none.png": photo(WHITE),
    "bob/1.png": photo(GREEN),
    "bob/both.png": photo(GREEN, BLUE),
    "bob/text.png": b"no photo",
    "bob/poor.png": photo(GREEN, grain=0),
    "eve/1.png": photo(BLUE),
}


def test_photos_are_enrolled_as_one_by_one(run, gallery, tmp_path):  # noqa: F811 - a fixture
    progress = Watched()
    result = run(folder(tmp_path, FILES), progress)
    assert result == {"photos": 9, "enrolled": 4, "known": 1, "refused": 4, "new_people": 3}
    assert sorted(progress.refused) == [
        ("ada/none.png", "no_face"),
        ("bob/both.png", "several_faces"),
        ("bob/poor.png", "low_quality"),
        ("bob/text.png", "not_an_image"),
    ]
    assert (progress.done, progress.total) == (9, 9)
    assert counted(gallery) == (4, 3)
    ((candidate,),) = nearest_candidates(gallery, gallery.require("people"), vector_of(BLUE)[None], 1)
    assert candidate.identity_id == "eve"


def test_a_second_run_enrolls_nothing(run, gallery, tmp_path):  # noqa: F811 - a fixture
    run(folder(tmp_path, FILES))
    revision = gallery.collection("people").revision
    assert run(tmp_path) == {"photos": 9, "enrolled": 0, "known": 5, "refused": 4, "new_people": 0}
    assert gallery.collection("people").revision == revision
    (tmp_path / "ada" / "new.png").write_bytes(photo((250, 10, 10)))
    assert run(tmp_path)["enrolled"] == 1


@pytest.mark.parametrize("end_after", [0, 1, 4, 8, 9])
@pytest.mark.parametrize("every", [0, 2])
def test_it_goes_on_where_it_was_ended(run, gallery, tmp_path, end_after, every, monkeypatch):  # noqa: F811 - a fixture
    monkeypatch.setattr("app.transfer.photo_import._CHECKPOINT_EVERY_S", every)
    first = Watched(end_after=end_after)
    with pytest.raises(JobCancelled):
        run(folder(tmp_path, FILES), first)
    second = Watched(first.checkpoint)
    result = run(tmp_path, second)
    assert (result["photos"], result["refused"], result["enrolled"] + result["known"]) == (9, 4, 5)
    assert counted(gallery) == (4, 3)
    if every == 0:  # photos before the checkpoint are not read again
        assert len(second.refused) == 4 - first.checkpoint.get("counts", {}).get("refused", 0)


def test_what_is_written_is_kept_at_once(run, tmp_path, monkeypatch):
    monkeypatch.setattr("app.transfer.photo_import.MOST_TOGETHER", 2)
    killed = Watched(end_after=5, end=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run(folder(tmp_path, FILES), killed)
    assert killed.checkpoint["counts"]["enrolled"] == 2


@pytest.mark.parametrize("end_after", [1, 2, 4, 7, 9])
def test_a_cancelled_import_has_written_the_photos_that_it_counts(run, gallery, tmp_path, end_after):  # noqa: F811 - a fixture
    cancelled = Watched(end_after=end_after)
    with pytest.raises(JobCancelled):
        run(folder(tmp_path, FILES), cancelled)
    counts = cancelled.checkpoint["counts"]
    assert counts["photos"] == cancelled.done == end_after
    assert counts["enrolled"] + counts["known"] + counts["refused"] == end_after
    assert counted(gallery) == (counts["enrolled"], counts["new_people"])
    assert len(cancelled.refused) == counts["refused"]


ONE_PERSON = {f"ada/{number}.png": photo((200, number * 10, 0)) for number in range(6)}


@pytest.mark.parametrize(("reaction", "writes"), [(Reaction.FLAG, 6), (Reaction.REJECT, 1)])
def test_a_person_is_divided_by_time_unless_photos_are_compared(run, gallery, tmp_path, monkeypatch, reaction, writes):  # noqa: F811 - a fixture
    monkeypatch.setattr("app.transfer.photo_import._CHECKPOINT_EVERY_S", 0)
    gallery._store.change_settings("people", CollectionSettings(on_mismatch=reaction))
    before = gallery.collection("people").revision
    run(folder(tmp_path, ONE_PERSON))
    assert gallery.collection("people").revision == before + writes


def test_several_people_are_one_write(run, gallery, tmp_path):  # noqa: F811 - a fixture
    text = "identity_id,photo\nada,1.png\nbob,2.png\nada,3.png\nada,1.png\n"
    folder(tmp_path, {"list.csv": text.encode(), "1.png": photo(RED), "2.png": photo(GREEN), "3.png": photo(PINK)})
    before = gallery.collection("people").revision
    result = run(tmp_path / "list.csv")
    assert result == {"photos": 4, "enrolled": 3, "known": 1, "refused": 0, "new_people": 2}
    assert gallery.collection("people").revision == before + 1
    assert counted(gallery) == (3, 2)


def test_the_main_face_can_be_chosen(run, tmp_path):
    assert run(folder(tmp_path, {"bob/both.png": photo(GREEN, BLUE)}), choice=FaceChoice.LARGEST)["enrolled"] == 1


def test_two_imports_at_once_enroll_nothing_twice(run, gallery, tmp_path):  # noqa: F811 - a fixture
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only here

    folder(tmp_path, {f"p{person}/{n}.png": photo((200, person * 10, n * 10)) for person in range(5) for n in range(4)})
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(run, [tmp_path, tmp_path])
    assert one["enrolled"] + two["enrolled"] == 20
    assert counted(gallery) == (20, 5)


def test_a_list_brings_names_and_metadata(run, gallery, tmp_path):  # noqa: F811 - a fixture
    text = 'identity_id,photo,name,metadata\nada,1.png,Ada,"{""room"": 7}"\nada,gone.png,Ada,\n'
    folder(tmp_path, {"list.csv": text.encode(), "1.png": photo(RED)})
    progress = Watched()
    assert run(tmp_path / "list.csv", progress)["enrolled"] == 1
    assert progress.refused == [("line 3: gone.png", "item_invalid")]
    assert gallery.enrolled(gallery.require("people"), "ada").name == "Ada"


def test_a_collection_that_is_gone_ends_it(run, gallery, enrollment):  # noqa: F811 - a fixture
    with pytest.raises(CollectionUnknown):
        BulkEnrollment(enrollment, gallery, "nobody", FaceChoice.ONLY)
