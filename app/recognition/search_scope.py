"""The scope of one search: the people among whom it looks, the rule that decides, and what its caller may see."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.templates import TemplateComparisons
from app.recognition.decisions.matching import decide, margin
from app.recognition.decisions.policy import Outcome, Policy, Rule
from app.recognition.decisions.reference_population import ReferencePopulation, reference_population
from app.recognition.decisions.similarity_view import SimilarityView
from app.recognition.decisions.stated_rates import StatedRate
from app.recognition.liveness.decisions import LivenessDecision
from app.recognition.liveness.gate import UNCHECKED, LivenessCheck
from app.types import Candidate, Keys


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """How often strangers are as similar: to this candidate (`fmr`), to anyone in this gallery (`fpir`)."""

    fmr: StatedRate
    fpir: StatedRate


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
class SearchScope:
    """One search: among all faces or those with the keys `among`, and the rule that decides.

    `comparisons` are those that its error rates count; `view` is what the caller may see of similarities; `check` is
    that of liveness.
    """

    collection: Collection
    policy: Policy
    among: Keys | None
    comparisons: TemplateComparisons
    view: SimilarityView
    rule: Rule
    top_k: int
    check: LivenessCheck = UNCHECKED

    @property
    def population(self) -> ReferencePopulation | None:
        """The origin of the error rates."""
        return reference_population(self.policy, self.collection)

    def found(
        self,
        candidates: Sequence[Sequence[Candidate]],
        is_poor: Sequence[bool],
        liveness: Sequence[LivenessDecision | None],
    ) -> list[SearchResult]:
        """Decide for every face of one photo, and return what its caller sees.

        A face that is refused as a presentation attack has no candidates. So it takes nobody from the other faces.
        """
        seen = [
            [] if self.check.is_refused(decision) else self.view.candidates(each)
            for each, decision in zip(candidates, liveness, strict=True)
        ]
        outcomes = decide(seen, is_poor, self.rule)
        return [
            self._shown(each, self.check.limited(outcome, decision))
            for each, outcome, decision in zip(seen, outcomes, liveness, strict=True)
        ]

    def _shown(self, candidates: list[Candidate], verdict: Outcome) -> SearchResult:
        best = candidates[: self.top_k]
        lead = self.view.difference(margin(candidates))
        rates = _rates(self.policy, best, self.comparisons)
        return SearchResult(verdict, best, rates, lead, self.rule.threshold, self.collection.model, self.population)


def _rates(policy: Policy, candidates: list[Candidate], comparisons: TemplateComparisons) -> list[ErrorRates]:
    return [
        ErrorRates(
            policy.fmr(each.similarity, each.faces, comparisons.probes), policy.fpir(each.similarity, comparisons)
        )
        for each in candidates
    ]
