from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database.unknown_face_tables import UnknownCropTable, UnknownFaceTable
from app.database.vault import Vault
from app.errors import NotAnImage, UnknownFacesOff
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.crops import CropSealer
from app.gallery.store.unknown.faces import UnknownFaceStore
from app.gallery.store.unknown.values import FaceOrigin
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.liveness.gate import LivenessGate, LivenessRequest
from app.recognition.unknown_faces import UnknownFaceLimits, UnknownFaceService
from app.types import LivenessMode
from app.vision.liveness import LivenessEvidence
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, WHITE, ColourJudge, blurred, colour_analysis, photo
from tests.sealing import FakeSealer

POLICY = Policy(None, 0.8)


@pytest.fixture
def memory(engine, analysis, gallery):
    CollectionRepository(engine).change("people", {"remember_unknown_days": 7, "is_crop_kept": True})
    return UnknownFaceService(
        gallery,
        UnknownFaceStore(engine, Vault(engine)),
        lambda _: analysis,
        lambda _: POLICY,
        UnknownFaceLimits(30, 100),
        crops=CropSealer(FakeSealer()),
    )


@pytest.fixture
def identification(analysis, gallery):
    return IdentificationService(lambda _: analysis, gallery, lambda _: POLICY)


def rows(engine) -> list[UnknownFaceTable]:
    with Session(engine) as session:
        return list(session.scalars(select(UnknownFaceTable).order_by(UnknownFaceTable.id)))


def remembered(memory, identification, *photos, **options) -> int:
    if len(photos) > 1:
        found = identification.identify_each(photos, collection="people", top_k=1, **options)
    else:
        found = identification.identify(photos[0], collection="people", top_k=1, **options)
    count: int = memory.remember_identified("people", photos, found, origin=FaceOrigin.IDENTIFY)
    return count


def test_only_faces_that_match_nobody_are_kept(engine, analysis, gallery, memory, identification):
    enrollment = EnrollmentService(lambda _: analysis, gallery, lambda _: POLICY, crops=CropSealer(FakeSealer()))
    enrollment.enroll([photo(RED)], collection="people", identity_id="ada")
    assert remembered(memory, identification, photo(PINK, BLUE, GREEN)) == 2
    assert len({each.image_sha256 for each in rows(engine)}) == 1
    assert [(each.origin, each.source) for each in rows(engine)] == [(FaceOrigin.IDENTIFY, None)] * 2
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(UnknownCropTable)) == 2
    assert remembered(memory, identification, photo(PINK, BLUE, GREEN)) == 0  # the same photo again
    assert remembered(memory, identification, photo(BLUE), photo(RED), photo(WHITE), photo(GREEN)) == 2


def test_faces_of_a_low_quality_are_left_out(memory, identification):
    assert remembered(memory, identification, blurred(BLUE)) == 0


def test_several_photos_of_one_person_are_one_face(engine, memory, identification):
    photos = [photo(BLUE), photo(BLUE, WHITE)]
    found = identification.identify_person(photos, collection="people", top_k=1)
    assert memory.remember_identified("people", photos, found, origin=FaceOrigin.IDENTIFY) == 1


def test_an_attack_is_not_kept(gallery, memory):
    judge = ColourJudge({BLUE: LivenessEvidence(0.1)})
    analysis = colour_analysis(judge=judge)
    service = IdentificationService(lambda _: analysis, gallery, lambda _: POLICY, gate=LivenessGate(lambda: judge))
    enforcing = {"liveness": LivenessRequest(LivenessMode.ENFORCE)}
    assert remembered(memory, service, photo(BLUE, GREEN), **enforcing) == 1


def test_the_best_shot_of_a_camera_is_kept(engine, memory):
    seen = datetime(2026, 11, 30, 2, tzinfo=UTC)
    keep = {"origin": FaceOrigin.CAMERA, "source": "door", "seen_at": seen}
    assert memory.remember_photo("people", photo(BLUE, WHITE), **keep) == 1
    assert memory.remember_photo("people", photo(WHITE), **keep) == 0
    (row,) = rows(engine)
    assert (row.source, row.seen_at, row.place) == ("door", seen, 0)
    with pytest.raises(NotAnImage):
        memory.remember_photo("people", b"no photo", **keep)


def test_a_collection_remembers_nobody_by_default(engine, memory, identification):
    CollectionRepository(engine).change("people", {"remember_unknown_days": None})
    with pytest.raises(UnknownFacesOff, match="remember_unknown_days"):
        remembered(memory, identification, photo(BLUE))


def test_expired_faces_are_deleted(engine, memory):
    memory.remember_photo("people", photo(BLUE), origin=FaceOrigin.IMPORT, seen_at=datetime(2020, 1, 1, tzinfo=UTC))
    memory.remember_photo("people", photo(GREEN), origin=FaceOrigin.IMPORT)
    memory.delete_expired()
    assert len(rows(engine)) == 1
