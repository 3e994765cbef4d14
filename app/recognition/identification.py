"""Identification (1:N): search the faces of a photo, or one person's photos, in a gallery."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.errors import CollectionSwitched, ModelMismatch, PhotoRefused, RequestInvalid, WhereForbidden
from app.gallery.gallery import Gallery
from app.gallery.store.filters import Where
from app.gallery.store.values import Collection
from app.recognition.analysis import AnalysisOf, Face
from app.recognition.batches import PhotoOutcome, each_photo
from app.recognition.candidates import nearest_candidates
from app.recognition.decisions.calibration.templates import TemplateComparisons, comparisons_among
from app.recognition.decisions.matching import decide, margin
from app.recognition.decisions.policy import Outcome, Policy, PolicyOf, Rule
from app.recognition.decisions.reference_population import ReferencePopulation, reference_population
from app.recognition.decisions.similarity_view import SimilarityView
from app.recognition.decisions.stated_rates import StatedRate
from app.recognition.probe_learning import ProbeLearning
from app.recognition.probes import ProbePhoto, read_probe
from app.recognition.retry_on_migration import retry_on_migration
from app.types import Candidate, Floats, Keys
from app.vision.quality import Quality


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """How often strangers are as similar: to this candidate (`fmr`), to anyone in this gallery (`fpir`)."""

    fmr: StatedRate
    fpir: StatedRate


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """A face of the photo, its candidates (best first) with their error rates, and the verdict on the first of them.

    `margin` is the lead of the first candidate over the second; `is_poor` means that the face is below the
    collection's minimum quality.
    """

    face: Face
    quality: Quality
    is_poor: bool
    verdict: Outcome
    candidates: list[Candidate]
    rates: list[ErrorRates]
    margin: float | None


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


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Result of a search by embedding: candidates (best first) with their rates, and the verdict on the first one."""

    verdict: Outcome
    candidates: list[Candidate]
    rates: list[ErrorRates]
    margin: float | None
    threshold: float
    model: str = ""
    population: ReferencePopulation | None = None

    @property
    def match(self) -> str | None:
        """The id of the person whom the probe matches, perhaps only possibly."""
        return self.candidates[0].identity_id if self.candidates and self.verdict is not Outcome.NO_MATCH else None


@dataclass(frozen=True, slots=True)
class _SearchScope:
    """One search: among all faces or those with the keys `among`, and the rule that decides.

    `comparisons` are those that its error rates count; `view` is what the caller may see of similarities.
    """

    collection: Collection
    policy: Policy
    among: Keys | None
    comparisons: TemplateComparisons
    view: SimilarityView
    rule: Rule
    top_k: int

    @property
    def population(self) -> ReferencePopulation | None:
        """The origin of the error rates."""
        return reference_population(self.policy, self.collection)

    def found(self, candidates: Sequence[Sequence[Candidate]], is_poor: Sequence[bool]) -> list[SearchResult]:
        """Decide for every face of one photo, and return what its caller sees."""
        seen = [self.view.candidates(each) for each in candidates]
        verdicts = decide(seen, is_poor, self.rule)
        return [self._shown(each, verdict) for each, verdict in zip(seen, verdicts, strict=True)]

    def _shown(self, candidates: list[Candidate], verdict: Outcome) -> SearchResult:
        best = candidates[: self.top_k]
        lead = self.view.difference(margin(candidates))
        rates = _rates(self.policy, best, self.comparisons)
        return SearchResult(verdict, best, rates, lead, self.rule.threshold, self.collection.model, self.population)


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
    ) -> None:
        """`open_metadata` names the members of metadata by which every caller may filter.

        `learning` gets the probes of good quality that are searched among all people.
        """
        self._learning = learning
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
    ) -> Identification:
        """Identify every face of a photo among all people or those of whom `where` holds; no face gives no entry.

        `is_exact` is for callers who may read templates; others get similarities through `SimilarityView`. Raises
        WhereForbidden, CollectionUnknown, ModelMismatch, CalibrationMissing, or a PhotoRefused for bytes that are not
        a photo.
        """
        target = self._gallery.require(collection)
        search = self._search(target, where, top_k, max_fpir=max_fpir, threshold=threshold, is_exact=is_exact)
        faces = self._analysis_of(target).analyse(
            photo, is_flip_averaged=target.settings.is_flip_averaged, is_probe=True
        )
        if not faces:
            return Identification([], search.rule.threshold, target.model, population=search.population)
        qualities = [search.policy.quality(face) for face in faces]
        is_poor = [search.policy.is_poor(quality) for quality in qualities]
        vectors = np.stack([search.policy.vector(face) for face in faces])
        found = self._nearest(search, vectors, is_poor)
        self._learn(search, vectors, found, is_poor)
        identified = [
            IdentifiedFace(face, quality, poor, each.verdict, each.candidates, each.rates, each.margin)
            for face, quality, poor, each in zip(faces, qualities, is_poor, found, strict=True)
        ]
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
    ) -> Identification:
        """Identify the person of one or more photos, fused to one probe (`read_probe`); otherwise as `identify`.

        Raises the error of the first photo if none can be used, also NoFace.
        """
        target = self._gallery.require(collection)
        policy, is_flipped = self._policy_of(target), target.settings.is_flip_averaged
        probe = read_probe(photos, self._analysis_of(target), policy, is_flip_averaged=is_flipped)
        search = self._search(
            target, where, top_k, max_fpir=max_fpir, threshold=threshold, is_exact=is_exact, probes=probe.faces
        )
        (found,) = self._nearest(search, probe.vector[None], [probe.is_poor])
        face = IdentifiedFace(
            probe.best.face,
            probe.best.quality,
            probe.is_poor,
            probe.verdict(found.verdict),
            found.candidates,
            found.rates,
            found.margin,
        )
        return Identification(
            [face], search.rule.threshold, target.model, population=search.population, photos=probe.photos
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
        (found,) = self._nearest(search, search.policy.scoring.vectors(probe[None]), [False])
        return found

    def _search(
        self,
        target: Collection,
        where: Where | None,
        top_k: int,
        *,
        max_fpir: float | None,
        threshold: float | None,
        is_exact: bool,
        probes: int = 1,
    ) -> _SearchScope:
        if where and not is_exact and (closed := sorted(where.keys() - self._open_metadata)):
            raise WhereForbidden(
                f"the key may not filter by {closed[0]!r}: that needs scope 'manage', or the member's name in "
                "ARCID_OPEN_METADATA"
            )
        policy = self._policy_of(target).for_probes()
        among, comparisons = None, comparisons_among(target.identities, target.faces, probes)
        if where:
            part = self._gallery.filter_faces(target, where)
            among, comparisons = part.keys, comparisons_among(part.identities, len(part.keys), probes)
        view = SimilarityView.of(lambda: policy.for_identification(comparisons), is_exact=is_exact)
        rule = view.rule(policy.for_identification(comparisons, max_fpir=max_fpir, threshold=threshold))
        return _SearchScope(target, policy, among, comparisons, view, rule, top_k)

    def _nearest(self, search: _SearchScope, vectors: Floats, is_poor: Sequence[bool]) -> list[SearchResult]:
        candidates = nearest_candidates(
            self._gallery,
            search.collection,
            vectors,
            max(search.top_k, 2),
            among=search.among,
            scoring=search.policy.scoring,
        )
        return search.found(candidates, is_poor)

    def _learn(
        self, search: _SearchScope, vectors: Floats, found: Sequence[SearchResult], is_poor: Sequence[bool]
    ) -> None:
        if self._learning is None or search.among is not None or not search.collection.settings.is_adaptive:
            return
        good = [place for place, poor in enumerate(is_poor) if not poor]
        matches = [found[place].match for place in good]
        self._learning.learn(search.collection, vectors[good], matches)


def unit(embedding: NDArray[np.float64], dimension: int) -> Floats:
    """Return an embedding (d,) with length 1. Raises RequestInvalid for another dimension or a zero vector."""
    problem = None
    if embedding.shape != (dimension,):
        problem = f"has {embedding.size} numbers; the collection's have {dimension}"
    elif not np.isfinite(embedding).all():
        problem = "has numbers that are not finite"
    elif not embedding.any():
        problem = "is zero and has no direction"
    if problem is not None:
        detail = f"the embedding {problem}"
        raise RequestInvalid.at("embedding", detail)
    scaled = embedding / np.abs(embedding).max()  # so that squares neither vanish nor overflow
    return np.asarray(scaled / np.linalg.norm(scaled), np.float32)


def _rates(policy: Policy, candidates: list[Candidate], comparisons: TemplateComparisons) -> list[ErrorRates]:
    return [
        ErrorRates(
            policy.fmr(each.similarity, each.faces, comparisons.probes), policy.fpir(each.similarity, comparisons)
        )
        for each in candidates
    ]
