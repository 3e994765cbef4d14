"""Terms that a trained network inherits from the packs that it was made from."""

from dataclasses import dataclass

from app.training.config import TrainingConfig
from app.types import CommercialUse

_STRICTEST_FIRST: tuple[CommercialUse, ...] = ("no", "unverified", "yes")


@dataclass(frozen=True, slots=True)
class InheritedTerms:
    """Licence, commercial use and detector of the packs of a run, and a description of how the network was made."""

    made: str
    licence: str
    commercial_use: CommercialUse
    detector: str


def inherited_terms(config: TrainingConfig) -> InheritedTerms | None:
    """Return the terms of a run's teacher, of its start, and of the run that it started from; None without any.

    Commercial use is the strictest of them. The detector is the teacher's, because the student learned its crops.
    """
    terms = [
        (each.pack, each.licence, each.commercial_use, each.detector)
        for each in (config.teacher, config.start)
        if each is not None
    ]
    weights = config.weights
    if weights is not None and weights.licence is not None and weights.detector is not None:
        terms.append((weights.run, weights.licence, weights.commercial_use, weights.detector))
    if not terms:
        return None
    licences = {name: licence for name, licence, _, _ in terms}
    is_one = len(set(licences.values())) == 1
    licence = terms[0][1] if is_one else "; ".join(f"{name}: {text}" for name, text in licences.items())
    strictest = min((use for _, _, use, _ in terms), key=_STRICTEST_FIRST.index)
    return InheritedTerms(_made(config), licence, strictest, terms[0][3])


def _made(config: TrainingConfig) -> str:
    student = f"{config.start.pack}, trained further" if config.start else config.backbone.name
    if config.teacher is not None:
        return f"{student}; learned from {config.teacher.pack}"
    return student if config.start else f"{student}, {config.loss.name}"
