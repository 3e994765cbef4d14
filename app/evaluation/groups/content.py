"""Content of report.json of `arcid evaluate groups`. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.evaluation.bootstrap import Estimate, estimates
from app.evaluation.curves import UNSUPPORTED
from app.evaluation.groups.chance import chance_of
from app.evaluation.groups.differential import Differential, compare_groups
from app.evaluation.groups.evaluation import GroupEvaluation, OperatingPoint
from app.evaluation.groups.group_rates import GroupCounts, GroupRate, Tally, measure_rate
from app.evaluation.groups.group_table import NOT_STATED, GroupedPhotos, Grouping
from app.evaluation.groups.searches import GroupSearches, search_groups
from app.evaluation.report import Report, failures
from app.evaluation.values import Bools, Doubles, EmbeddedPhotos
from app.evaluation.verification import failure_rate_of
from app.recognition.decisions.calibration.error_rates import Calibration

_FEW_GROUPS = "too few groups: fewer than two have a rate"
ByChance = Callable[[Grouping, OperatingPoint, Sequence[int]], Doubles]


def of_groups(
    grouped: GroupedPhotos, embedded: EmbeddedPhotos, evaluation: GroupEvaluation, calibration: Calibration | None
) -> Report:
    """Return the report."""
    rate = failure_rate_of(embedded)
    failed = estimates(
        lambda multiplicities: {"failures_to_enroll_rate": rate(multiplicities)},
        people=int(embedded.people.max()) + 1,
        replicates=evaluation.replicates,
    )
    return {
        "match": grouped.match.value,
        "photos_without_row": grouped.photos_without_row,
        "rows_without_photo": grouped.rows_without_photo,
        **failures(embedded, failed),
        "calibration": _origin(calibration),
        "groups": {grouping.name: _members(grouping, embedded) for grouping in grouped.groupings},
        "operating_points": [_at(point, grouped.groupings, evaluation) for point in evaluation.points],
        "identification": _identification(
            search_groups(embedded, calibration), grouped.groupings, evaluation.multiplicities
        ),
    }


def rate_content(rate: GroupRate, asked: float | None = None) -> Report:
    """Return a rate with its counts; `over_asked` is its ratio to the tolerated rate."""
    content: Report = {
        "rate": rate.rate.value if rate.rate else None,
        "interval": rate.rate.interval if rate.rate else None,
        "errors": rate.errors,
        "errors_from": rate.errors_from,
        "pairs": rate.pairs,
        "people": rate.people,
    }
    if asked is not None:
        content["over_asked"] = rate.rate.value / asked if rate.rate else None
    extras = {"upper": rate.upper, "note": rate.note}
    return content | {key: value for key, value in extras.items() if value is not None}


def _origin(calibration: Calibration | None) -> Report | None:
    if calibration is None:
        return None
    origin = calibration.origin
    return {"model": origin.model, "detector": origin.detector, "people": origin.people, "source": origin.source}


def _identification(
    searches: GroupSearches | None, groupings: Sequence[Grouping], multiplicities: Doubles
) -> Report | None:
    """Return FPIR and FNIR of all and of each group; None without searches or a calibration."""
    if searches is None:
        return None
    asked = searches.promise.asked

    def rates(is_member: Bools) -> Report:
        fpir, fnir = (tally(multiplicities, is_member) for tally in (searches.fpir, searches.fnir))
        return {"fpir": rate_content(measure_rate(fpir, asked), asked), "fnir": rate_content(measure_rate(fnir))}

    return {
        "max_fpir": asked,
        "threshold": searches.promise.threshold,
        "gallery": searches.gallery,
        "all": rates(np.ones(len(searches.people), np.bool_)),
        "by": {
            grouping.name: {name: rates(grouping.of_photo == group) for group, name in enumerate(grouping.groups)}
            for grouping in groupings
        },
    }


def _members(grouping: Grouping, embedded: EmbeddedPhotos) -> Report:
    """Return the people, photos and failures to enroll of each group, and of those without a stated group."""

    def counted(group: int) -> dict[str, int]:
        is_member = grouping.of_photo == group
        return {
            "people": len(np.unique(embedded.people[is_member])),
            "photos": int(is_member.sum()),
            "failures_to_enroll": int((is_member & ~embedded.has_face).sum()),
        }

    named = {name: counted(group) for group, name in enumerate(grouping.groups)}
    return {"groups": named, "not_stated": counted(NOT_STATED)}


def _at(point: OperatingPoint, groupings: Sequence[Grouping], evaluation: GroupEvaluation) -> Report:
    """Return an operating point; a threshold that the set does not determine has no rates."""
    threshold = float(point.thresholds[0])
    head = {"max_fmr": point.max_fmr, "threshold_from": point.origin}
    if np.isnan(threshold):
        return {**head, "threshold": None, "note": UNSUPPORTED}
    matches, misses = evaluation.overall(point)
    return {
        **head,
        "threshold": threshold,
        "all": {
            "fmr": rate_content(measure_rate(matches, point.max_fmr), point.max_fmr),
            "fnmr": rate_content(measure_rate(misses)),
        },
        "by": {grouping.name: _by(grouping, point, evaluation) for grouping in groupings},
    }


def _by(grouping: Grouping, point: OperatingPoint, evaluation: GroupEvaluation) -> Report:
    counts, names, asked = evaluation.counts(grouping, point), grouping.groups, point.max_fmr
    fmrs, fnmrs = ([tally(group) for group in range(len(names))] for tally in (lambda g: counts.fmr(g, g), counts.fnmr))

    def measured(tally: Tally) -> Report:
        return rate_content(measure_rate(tally, asked), asked)

    return {
        "groups": {
            name: {"fmr": measured(fmr), "fnmr": rate_content(measure_rate(fnmr))}
            for name, fmr, fnmr in zip(names, fmrs, fnmrs, strict=True)
        },
        "within": measured(counts.within()),
        "across": measured(counts.across()),
        "matrix": _matrix(counts, names, measured),
        "differential": {
            "fmr": _differential(grouping, point, fmrs, asked, evaluation.fmrs_by_chance),
            "fnmr": _differential(grouping, point, fnmrs, None, evaluation.fnmrs_by_chance),
        },
    }


def _matrix(counts: GroupCounts, names: Sequence[str], measured: Callable[[Tally], Report]) -> list[Report]:
    """Return the FMR of each two groups, once."""
    return [
        {"first": names[first], "second": names[second], **measured(counts.fmr(first, second))}
        for first in range(len(names))
        for second in range(first, len(names))
    ]


def _differential(
    grouping: Grouping, point: OperatingPoint, tallies: Sequence[Tally], expected: float | None, by_chance: ByChance
) -> Report:
    """Return the measures over the groups that have a rate."""
    chosen = [group for group, tally in enumerate(tallies) if measure_rate(tally, expected).rate is not None]
    compared = compare_groups([tallies[group] for group in chosen])
    if compared is None:
        return {"groups": [grouping.groups[group] for group in chosen], "note": _FEW_GROUPS}
    return {
        "groups": [grouping.groups[group] for group in chosen],
        "worst": grouping.groups[chosen[compared.worst]],
        "best": grouping.groups[chosen[compared.best]],
        **_measures(compared, by_chance(grouping, point, chosen)),
    }


def _measures(compared: Differential, dealt: Doubles) -> dict[str, Any]:
    def content(name: str, estimate: Estimate) -> Report:
        chance = chance_of(name, estimate.value, dealt)
        by_chance = {"median": chance.median, "upper": chance.upper, "p_value": chance.p_value} if chance else None
        return {"value": estimate.value, "interval": estimate.interval, "by_chance": by_chance}

    return {name: content(name, estimate) for name, estimate in compared.measures.items()}
