from pathlib import Path

import numpy as np
import pytest

from app.errors import CalibrationMissing, CollectionUnknown, ModelMismatch, NotAnImage
from app.gallery.store.values import CollectionSettings
from app.recognition.decisions.calibration.applicable import Calibrations, file_name
from app.recognition.decisions.calibration.error_rates import Calibration, as_json
from app.recognition.decisions.calibration.templates import TemplateComparisons, comparisons_among
from app.recognition.decisions.policy import Policy
from app.recognition.decisions.stated_rates import LEAST_STATED
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import Identification, IdentificationService
from app.vision.quality import Quality, Reason
from tests.recognition.fakes import (
    BLUE,
    GREEN,
    MODEL,
    PINK,
    RED,
    SIDE,
    WHITE,
    blurred,
    calibration,
    colour_analysis,
    halved,
    photo,
    similarity,
    vector_of,
)

YELLOW = (255, 255, 0)
MOSS = (80, 255, 0)  # somewhat more like red than like blue


@pytest.fixture
def enroll(analysis, gallery):
    def enroll(identity_id: str, *photos: bytes) -> list[str]:
        service = EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.8))
        enrollment = service.enroll(photos, collection="people", identity_id=identity_id, name=identity_id.title())
        return [face.face_id for face in enrollment.faces]

    return enroll


@pytest.fixture
def identify(analysis, gallery):
    service = IdentificationService(lambda _: analysis, gallery, lambda _: Policy(None, 0.8))

    def identify(*colours, collection="people", top_k=5) -> Identification:
        return service.identify(photo(*colours), collection=collection, top_k=top_k)

    return identify


def summary(identification: Identification) -> list[tuple[str, str | None]]:
    """Return verdict and first candidate of every face, from left to right."""
    faces = sorted(identification.faces, key=lambda each: each.face.detection.box)
    return [(each.verdict, each.candidates[0].identity_id if each.candidates else None) for each in faces]


def test_everybody_in_a_photo_is_identified(identify, enroll):
    enroll("ada", photo(RED))
    enroll("bob", photo(BLUE))
    assert summary(identify(BLUE, MOSS, PINK)) == [("match", "bob"), ("no_match", "ada"), ("match", "ada")]


def test_the_most_prominent_face_comes_first(identify, enroll):
    enroll("ada", photo(RED))
    boxes = [each.face.detection.box[0] for each in identify(BLUE, GREEN, RED).faces]
    assert boxes == [SIDE, 0, 2 * SIDE]


def test_candidates_are_best_first_with_all_that_is_known(identify, enroll):
    (face,) = enroll("ada", photo(RED))
    enroll("bob", photo(BLUE), photo(GREEN))
    enroll("eve", photo(YELLOW))
    result = identify(RED)
    (red,) = result.faces
    assert (result.threshold, red.verdict) == (0.8, "match")
    assert [each.identity_id for each in red.candidates] == ["ada", "eve", "bob"]
    both = vector_of(BLUE) + vector_of(GREEN)
    bob = float(both @ vector_of(RED) / np.linalg.norm(both))
    expected = [similarity(RED, RED), similarity(RED, YELLOW), bob]
    assert [each.similarity for each in red.candidates] == pytest.approx(expected, abs=1e-3)
    assert [each.faces for each in red.candidates] == [1, 1, 2]
    assert (red.quality, red.is_poor) == (Quality(pytest.approx(0.75)), False)  # type: ignore[arg-type] # like a float
    assert (red.candidates[0].name, red.candidates[0].face_id) == ("Ada", face)


@pytest.mark.parametrize("top_k", [1, 2, 3, 9])
def test_no_more_candidates_than_asked(identify, enroll, top_k):
    for person, colour in {"ada": RED, "bob": BLUE, "eve": GREEN}.items():
        enroll(person, photo(colour), photo(colour))
    assert len(identify(RED, top_k=top_k).faces[0].candidates) == min(top_k, 3)


def test_a_person_is_in_a_photo_once(identify, enroll):
    enroll("ada", photo(RED))
    assert summary(identify(PINK, RED)) == [("no_match", "ada"), ("match", "ada")]


def test_a_photo_without_a_face_has_no_faces(identify, enroll):
    enroll("ada", photo(RED))
    assert identify(WHITE) == Identification([], 0.8, MODEL)


def test_in_an_empty_collection_everybody_is_unknown(identify):
    assert summary(identify(RED, BLUE)) == [("no_match", None), ("no_match", None)]


@pytest.mark.parametrize(("collection", "error"), [("nowhere", CollectionUnknown), ("foreign", ModelMismatch)])
def test_the_collection_must_fit(identify, collection, error):
    with pytest.raises(error):
        identify(RED, collection=collection)


def test_bytes_that_are_no_photo_are_refused(analysis, gallery):
    with pytest.raises(NotAnImage):
        IdentificationService(lambda _: analysis, gallery, lambda _: Policy(None, 0.8)).identify(
            b"no photo", collection="people", top_k=1
        )


# Several faces of a person


LIME, MINT = (60, 255, 0), (0, 255, 130)  # greenish people


def test_one_foreign_face_does_not_speak_for_a_person(identify, enroll):
    """By the best single face, every greenish person would be Ada."""
    enroll("ada", photo(RED), photo(PINK), photo(RED), photo(GREEN))
    enroll("bob", photo(LIME))
    assert summary(identify(GREEN, RED)) == [("match", "bob"), ("match", "ada")]
    assert similarity(GREEN, LIME) < 1


def test_a_worthless_face_hardly_counts(identify, enroll, store):
    store.change_settings("people", CollectionSettings(enroll_quality=0))
    enroll("ada", photo(RED), blurred(GREEN))
    enroll("bob", photo(MINT))
    assert summary(identify(GREEN, RED)) == [("match", "bob"), ("match", "ada")]


def test_rates_and_threshold_know_how_many_faces_templates_have(analysis, gallery, enroll):
    calibrated = calibration()
    policy = Policy(calibrated, 0.8)
    service = IdentificationService(lambda _: analysis, gallery, lambda _: policy)
    enroll("ada", photo(RED), photo(PINK), photo(RED), photo(RED))
    enroll("bob", photo(BLUE))
    comparisons = comparisons_among(2, 5)
    for max_fpir in (None, 0.1, 1e-4):
        result = service.identify(photo(PINK), collection="people", top_k=5, max_fpir=max_fpir)
        assert result.threshold == policy.for_identification(comparisons, max_fpir=max_fpir).threshold
        assert result.threshold > policy.for_identification(TemplateComparisons(2), max_fpir=max_fpir).threshold
    (face,) = result.faces
    assert [each.faces for each in face.candidates] == [4, 1]
    for each, rates in zip(face.candidates, face.rates, strict=True):
        pair, (fmr, fpir) = calibrated.fmr(each.similarity), (rates.fmr.value, rates.fpir.value)
        assert rates.fmr == policy.fmr(each.similarity, each.faces)
        assert rates.fpir == policy.fpir(each.similarity, comparisons)
        assert fmr is not None
        assert fpir is not None
        assert max(pair, LEAST_STATED) <= fmr * (1 + 1e-9)
        assert fmr <= fpir


# Quality


def test_a_poor_face_is_possible_at_best(analysis, gallery, enroll):
    service = IdentificationService(
        lambda _: analysis, gallery, lambda each: Policy(calibration(), 0.8, each.settings.probe_quality)
    )
    enroll("ada", photo(RED))
    enroll("bob", photo(BLUE))
    (good,) = service.identify(photo(RED), collection="people", top_k=5).faces
    assert (good.verdict, good.is_poor) == ("match", False)
    poor, stranger = sorted(
        service.identify(blurred(RED, GREEN), collection="people", top_k=5).faces,
        key=lambda each: each.face.detection.box,
    )
    assert (poor.verdict, poor.is_poor, poor.quality) == ("possible", True, Quality(0, (Reason.BLURRED,)))
    assert poor.candidates[0].identity_id == "ada"
    assert poor.candidates[0].similarity == pytest.approx(1, abs=1e-3)
    assert (stranger.verdict, stranger.is_poor) == ("no_match", True)
    (exact,) = service.identify(blurred(RED), collection="people", top_k=5, threshold=0.9).faces
    assert (exact.verdict, exact.is_poor) == ("match", True)


def test_the_gate_is_the_collections(analysis, gallery, enroll, store):
    service = IdentificationService(
        lambda _: analysis, gallery, lambda each: Policy(calibration(), 0.8, each.settings.probe_quality)
    )
    enroll("ada", photo(RED))
    for gate, verdict in ((0, "match"), (0.74, "possible")):
        store.change_settings("people", CollectionSettings(probe_quality=gate))
        (face,) = service.identify(blurred(RED), collection="people", top_k=5).faces
        assert (face.verdict, face.is_poor) == (verdict, verdict == "possible")
        (face,) = service.identify(photo(RED), collection="people", top_k=5).faces
        assert (face.verdict, face.is_poor) == ("match", False)


# Each collection in its own way


def name_for(is_flip_averaged: bool) -> str:  # noqa: FBT001 - as Calibrations calls it
    return file_name(network_sha256="ab" * 32, detector="squares", is_flip_averaged=is_flip_averaged)


def write(folder: Path, made: Calibration) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name_for(made.origin.is_flip_averaged)).write_bytes(as_json(made))


@pytest.fixture
def two_ways(gallery, tmp_path):
    """Services on the collections `flipped` and `plain`, each with a shipped calibration of its kind."""
    gallery.ensure("flipped", CollectionSettings(is_flip_averaged=True))
    gallery.ensure("plain", CollectionSettings(is_flip_averaged=False))
    calibrations = Calibrations(tmp_path / "shipped", tmp_path / "own", name_for)
    for kind, start in ((True, 0.4), (False, 0.5)):
        write(tmp_path / "shipped", calibration(start=start, is_flip_averaged=kind))

    def policy_of(collection):
        of_its_kind = calibrations.of(collection.name, is_flip_averaged=collection.settings.is_flip_averaged)
        return Policy(of_its_kind, 0.8, collection.settings.probe_quality)

    analysis = colour_analysis(is_half_blind=True)
    return EnrollmentService(lambda _: analysis, gallery, policy_of), IdentificationService(
        lambda _: analysis, gallery, policy_of
    )


def test_collections_of_one_service_embed_each_in_its_own_way(two_ways, gallery):
    """The network sees the left half only: red as the photo is, red and green with its mirror image."""
    enrollment, identification = two_ways
    both = vector_of(RED) + vector_of(GREEN)
    expected = {"plain": vector_of(RED), "flipped": both / np.linalg.norm(both)}
    for collection, vector in expected.items():
        enrollment.enroll([halved(RED, GREEN)], collection=collection, identity_id="ada")
        (stored,) = gallery.enrolled(gallery.require(collection), "ada").vectors
        assert stored == pytest.approx(vector, abs=1e-3)
        for seen, similar in ((halved(RED, GREEN), 1), (halved(GREEN, RED), 1 if collection == "flipped" else -1 / 3)):
            (face,) = identification.identify(seen, collection=collection, top_k=1).faces
            assert face.candidates[0].similarity == pytest.approx(similar, abs=1e-3)
            assert (face.verdict == "match") == (similar == 1)


def test_collections_of_one_service_are_judged_each_by_the_calibration_of_its_kind(two_ways, tmp_path):
    enrollment, identification = two_ways

    def threshold(collection):
        return identification.identify(photo(RED), collection=collection, top_k=1, max_fpir=1e-3).threshold

    for collection, start in (("flipped", 0.4), ("plain", 0.5)):
        enrollment.enroll([photo(RED)], collection=collection, identity_id="ada")
        assert threshold(collection) == pytest.approx(start)
    write(tmp_path / "own" / "plain", calibration(start=0.6, is_flip_averaged=False))
    write(tmp_path / "own" / "flipped", calibration(start=0.7, is_flip_averaged=False))  # of no use to it
    assert threshold("plain") == pytest.approx(0.6)
    assert threshold("flipped") == pytest.approx(0.4)


def test_a_calibration_of_the_other_kind_promises_nothing(two_ways, tmp_path):
    _, identification = two_ways
    (tmp_path / "shipped" / name_for(False)).unlink()  # noqa: FBT003 - as Calibrations calls it
    assert identification.identify(photo(RED), collection="flipped", top_k=1, max_fpir=1e-3)
    with pytest.raises(CalibrationMissing):
        identification.identify(photo(RED), collection="plain", top_k=1, max_fpir=1e-3)
