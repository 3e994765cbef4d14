"""Identification (1:N): search the faces of a photo, or one person's photos, in a gallery."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.errors import CollectionSwitched, ModelMismatch, PhotoRefused, WhereForbidden
from app.gallery.gallery import Gallery
from app.gallery.store.filters import Where
from app.gallery.store.review_values import ReviewOrigin
from app.gallery.store.values import Collection
from app.recognition.analysis import AnalysisOf, Face
from app.recognition.batches import PhotoOutcome, each_photo
from app.recognition.candidates import nearest_candidates
from app.recognition.decisions.calibration.templates import TemplateComparisons, comparisons_among
from app.recognition.decisions.policy import Outcome, PolicyOf
from app.recognition.decisions.reference_population import ReferencePopulation
from app.recognition.decisions.similarity_view import SimilarityView
from app.recognition.liveness.decisions import LivenessDecision, LivenessVerdict
from app.recognition.liveness.gate import AS_SET, UNCHECKED, LivenessCheck, LivenessGate, LivenessRequest
from app.recognition.probe_embedding import unit
from app.recognition.probe_learning import ProbeLearning
from app.recognition.probes import JudgedFace, Probe, ProbePhoto, read_probe, track_probe
from app.recognition.retry_on_migration import retry_on_migration
from app.recognition.reviews.review_queue import RecognitionUse, ReviewQueue
from app.recognition.search_scope import ErrorRates, SearchResult, SearchScope
from app.statistics.counts import Operation
from app.types import Candidate, Floats
from app.vision.quality import Quality

_ONE = TemplateComparisons()  # with each person: a search by one photo


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """A face of the photo, its candidates (best first) with their error rates, and the verdict on the first of them.

    `margin` is the lead of the first candidate over the second; `is_poor` means that the face is below the
    collection's minimum quality. `liveness` is the decision on its liveness, if that was checked. `review_id` is the
    review of the verdict, if people decide it.
    """

    face: Face
    quality: Quality
    is_poor: bool
    verdict: Outcome
    candidates: list[Candidate]
    rates: list[ErrorRates]
    margin: float | None
    liveness: LivenessDecision | None = None
    review_id: str | None = None

    @classmethod
    def of(cls, judged: JudgedFace, found: SearchResult, *, is_poor: bool, review_id: str | None = None) -> Self:
        """Return a face with what was found for it."""
        return cls(
            judged.face,
            judged.quality,
            is_poor,
            found.verdict,
            found.candidates,
            found.rates,
            found.margin,
            judged.liveness,
            review_id,
        )


@dataclass(frozen=True, slots=True)
class Identification:
    """Every face of the photo, the most prominent first, the threshold that decided, and the network.

    If `photos` of one person were identified, the only face is the best one of them that was used. If photos were
    identified each for itself, `answers` has their outcomes, and `faces` is empty.
    """

    faces: list[IdentifiedFace]
    threshold: float
    model: str = ""
    is_truncated: bool = False
    population: ReferencePopulation | None = None
    photos: Sequence[ProbePhoto] = ()
    answers: "Sequence[PhotoOutcome[Identification]]" = ()


class IdentificationService:
    """See `identify`, `identify_each`, `identify_person` and `search`."""

    def __init__(
        self,
        analysis_of: AnalysisOf,
        gallery: Gallery,
        policy_of: PolicyOf,
        *,
        open_metadata: frozenset[str] = frozenset(),
        learning: ProbeLearning | None = None,
        gate: LivenessGate | None = None,
        reviews: ReviewQueue | None = None,
    ) -> None:
        """`open_metadata` names the members of metadata by which every caller may filter.

        `learning` gets probes of good quality that are searched among all people, `reviews` verdicts to be reviewed.
        """
        self._reviews = reviews or ReviewQueue()
        self._learning = learning
        self._gate = gate or LivenessGate()
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._policy_of = policy_of
        self._open_metadata = open_metadata

    @retry_on_migration
    def identify(
        self,
        photo: bytes,
        *,
        collection: str,
        top_k: int,
        max_fpir: float | None = None,
        threshold: float | None = None,
        where: Where | None = None,
        is_exact: bool = True,
        liveness: LivenessRequest = AS_SET,
    ) -> Identification:
        """Identify every face of a photo among all people or those of whom `where` holds; no face gives no entry.

        `is_exact` is for callers who may read templates; others get similarities through `SimilarityView`. Raises
        WhereForbidden, CollectionUnknown, ModelMismatch, CalibrationMissing, the errors of `LivenessGate.check`, or a
        PhotoRefused for bytes that are not a photo.
        """
        started_at, target = datetime.now(UTC), self._gallery.require(collection)
        check = self._gate.check(target, Operation.IDENTIFY, liveness)
        search = self._search(
            target, where, top_k, max_fpir=max_fpir, threshold=threshold, is_exact=is_exact, check=check
        )
        is_flipped, has_portraits = target.settings.is_flip_averaged, self._reviews.keeps_images(target)
        faces = self._analysis_of(target).analyse(
            photo, is_flip_averaged=is_flipped, is_probe=True, has_portraits=has_portraits, has_liveness=check.is_on
        )
        if not faces:
            return Identification([], search.rule.threshold, target.model, population=search.population)
        judged = [JudgedFace(face, search.policy.quality(face), check.decide(face)) for face in faces]
        is_poor = [search.policy.is_poor(each.quality) for each in judged]
        decisions = [each.liveness for each in judged]
        vectors = np.stack([search.policy.vector(face) for face in faces])
        found = self._nearest(search, vectors, is_poor, decisions)
        self._learn(search, vectors, found, is_poor, decisions)
        use = RecognitionUse(ReviewOrigin.IDENTIFY, started_at, photo)
        reviews = self._reviews.open_found(target, judged, found, use)
        parts = zip(judged, found, is_poor, reviews, strict=True)
        identified = [IdentifiedFace.of(one, each, is_poor=poor, review_id=review) for one, each, poor, review in parts]
        return Identification(identified, search.rule.threshold, target.model, faces.is_truncated, search.population)

    @retry_on_migration
    def identify_each(
        self,
        photos: Sequence[bytes | PhotoRefused],
        *,
        collection: str,
        top_k: int,
        max_fpir: float | None = None,
        threshold: float | None = None,
        where: Where | None = None,
        is_exact: bool = True,
        liveness: LivenessRequest = AS_SET,
    ) -> Identification:
        """Identify the faces of each photo for itself, as `identify` does; a photo that cannot be used fails alone.

        Raises CollectionSwitched if the collection moves to another model between two photos.
        """
        target = self._gallery.require(collection)
        scope = self._search(target, where, top_k, max_fpir=max_fpir, threshold=threshold, is_exact=is_exact)
        work = partial(
            self.identify,
            collection=collection,
            top_k=top_k,
            max_fpir=max_fpir,
            threshold=threshold,
            where=where,
            is_exact=is_exact,
            liveness=liveness,
        )
        answers = each_photo(photos, work)
        if any(each.result.model != target.model for each in answers if each.result is not None):
            raise CollectionSwitched(f"collection {collection!r} has moved to another network; try again")
        return Identification([], scope.rule.threshold, target.model, population=scope.population, answers=answers)

    @retry_on_migration
    def identify_person(
        self,
        photos: Sequence[bytes | PhotoRefused],
        *,
        collection: str,
        top_k: int,
        max_fpir: float | None = None,
        threshold: float | None = None,
        where: Where | None = None,
        is_exact: bool = True,
        liveness: LivenessRequest = AS_SET,
    ) -> Identification:
        """Identify the person of one or more photos, fused to one probe (`read_probe`); otherwise as `identify`.

        Raises the error of the first photo if none can be used, also NoFace.
        """
        started_at, target = datetime.now(UTC), self._gallery.require(collection)
        policy, is_flipped = self._policy_of(target), target.settings.is_flip_averaged
        check = self._gate.check(target, Operation.IDENTIFY, liveness)
        analysis, has_portraits = self._analysis_of(target), self._reviews.keeps_images(target)
        probe = read_probe(
            photos, analysis, policy, is_flip_averaged=is_flipped, check=check, has_portraits=has_portraits
        )
        search = self._search(
            target,
            where,
            top_k,
            max_fpir=max_fpir,
            threshold=threshold,
            is_exact=is_exact,
            with_each=TemplateComparisons(probes=probe.faces),
            check=check,
        )
        use = RecognitionUse.of_probe(ReviewOrigin.IDENTIFY, started_at, photos, probe)
        return self._identified(search, probe, use)

    @retry_on_migration
    def identify_track(
        self, faces: Sequence[Face], *, collection: str, model: str, top_k: int, looks: float = 1, is_exact: bool = True
    ) -> Identification:
        """Identify the person of a track by one or more faces that `model` embedded; otherwise as `identify`.

        `looks` is the number of searches that the error rates count (`tracks.looks`). Raises ModelMismatch if the
        collection is of another network than the faces.
        """
        target = self._gallery.require(collection)
        if target.model != model:
            raise ModelMismatch(f"collection {collection!r} is of {target.model}; the faces are of {model}")
        check = self._gate.check(target, Operation.IDENTIFY)
        probe = track_probe(faces, self._policy_of(target), check)
        with_each = TemplateComparisons(count=looks, probes=probe.faces)
        search = self._search(target, None, top_k, is_exact=is_exact, with_each=with_each, check=check)
        return self._identified(search, probe)

    def _identified(self, search: SearchScope, probe: Probe, use: RecognitionUse | None = None) -> Identification:
        """Search a probe, and open a review if it is of photos."""
        (found,) = self._nearest(search, probe.vector[None], [probe.is_poor], [probe.liveness])
        found = replace(found, verdict=probe.verdict(found.verdict))
        (review_id,) = self._reviews.open_found(search.collection, [probe.best], [found], use) if use else (None,)
        face = IdentifiedFace.of(probe.best, found, is_poor=probe.is_poor, review_id=review_id)
        return Identification(
            [face], search.rule.threshold, search.collection.model, population=search.population, photos=probe.photos
        )

    @retry_on_migration
    def search(
        self,
        embedding: NDArray[np.float64],
        *,
        collection: str,
        model: str | None = None,
        top_k: int,
        max_fpir: float | None = None,
        threshold: float | None = None,
        where: Where | None = None,
        is_exact: bool = True,
    ) -> SearchResult:
        """Look up an embedding (d,) of any length but 0, as `identify` does; nothing is known of its quality.

        Raises WhereForbidden, CollectionUnknown, ModelMismatch (also for an embedding by a `model` that is not the
        collection's), CalibrationMissing, and RequestInvalid for another dimension or a zero vector.
        """
        target = self._gallery.require(collection)
        if model is not None and model != target.model:
            raise ModelMismatch(
                f"collection {collection!r} is of {target.model}; embeddings by {model} cannot be compared with it: "
                "embed the photo with that network"
            )
        probe = unit(embedding, target.dimension)
        search = self._search(target, where, top_k, max_fpir=max_fpir, threshold=threshold, is_exact=is_exact)
        (found,) = self._nearest(search, search.policy.scoring.vectors(probe[None]), [False], [None])
        return found

    def _search(
        self,
        target: Collection,
        where: Where | None,
        top_k: int,
        *,
        max_fpir: float | None = None,
        threshold: float | None = None,
        is_exact: bool,
        with_each: TemplateComparisons = _ONE,
        check: LivenessCheck = UNCHECKED,
    ) -> SearchScope:
        if where and not is_exact and (closed := sorted(where.keys() - self._open_metadata)):
            raise WhereForbidden(
                f"the key may not filter by {closed[0]!r}: that needs scope 'manage', or the member's name in "
                "ARCID_OPEN_METADATA"
            )
        policy = self._policy_of(target).for_probes()
        among, comparisons = None, comparisons_among(target.identities, target.faces, with_each.probes)
        if where:
            part = self._gallery.filter_faces(target, where)
            among, comparisons = part.keys, comparisons_among(part.identities, len(part.keys), with_each.probes)
        comparisons = comparisons.repeated(with_each.count)
        view = SimilarityView.of(lambda: policy.for_identification(comparisons), is_exact=is_exact)
        rule = view.rule(policy.for_identification(comparisons, max_fpir=max_fpir, threshold=threshold))
        return SearchScope(target, policy, among, comparisons, view, rule, top_k, check)

    def _nearest(
        self,
        search: SearchScope,
        vectors: Floats,
        is_poor: Sequence[bool],
        liveness: Sequence[LivenessDecision | None],
    ) -> list[SearchResult]:
        candidates = nearest_candidates(
            self._gallery,
            search.collection,
            vectors,
            max(search.top_k, 2),
            among=search.among,
            scoring=search.policy.scoring,
        )
        search.check.note_refused(liveness)
        return search.found(candidates, is_poor, liveness)

    def _learn(
        self,
        search: SearchScope,
        vectors: Floats,
        found: Sequence[SearchResult],
        is_poor: Sequence[bool],
        liveness: Sequence[LivenessDecision | None],
    ) -> None:
        if self._learning is None or search.among is not None or not search.collection.settings.is_adaptive:
            return
        is_live = [each is None or each.verdict is LivenessVerdict.LIVE for each in liveness]
        good = [place for place, poor in enumerate(is_poor) if not poor and is_live[place]]
        matches = [found[place].match for place in good]
        self._learning.learn(search.collection, vectors[good], matches)
