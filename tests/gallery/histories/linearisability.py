"""Check of a history against the sequential model.

Writes take effect in the order of the revisions that they claim, each between its call and its answer. So the model,
applied in this order, must give the same results and the database's final content. Every read and every refusal must
be true of one state during its call; a search must also find what its replica has acknowledged or found before.
"""

from collections.abc import Iterator, Sequence

from tests.gallery.histories.history import Found, Operation, Outcome
from tests.gallery.histories.model import Refused, State

READS = ("search", "get")
_NO_EFFECT = {"collection_switched", "templates_missing", "no_way_back"}
"""Refusals that depend on other operations at the same time, and are right whenever they change nothing."""


class Violation(Exception):
    """A history that no sequence explains."""


def check(operations: Sequence[Operation], last: int, final: State) -> None:
    """Raise Violation unless some order of the writes explains the database after revision `last`, and all answers."""
    reasons: dict[int, str] = {}
    violation: Violation | None = None
    lost = [each for each in operations if each.outcome is Outcome.LOST and hasattr(State, f"_{each.what}")]
    for states in _replays([State()], _claimed(operations), lost, last, reasons):
        try:
            _check_answers(operations, states, final)
        except Violation as error:
            violation = error
        else:
            return
    raise violation or Violation(f"no write explains revision {max(reasons)}: {reasons[max(reasons)]}")


def _check_answers(operations: Sequence[Operation], states: list[State], final: State) -> None:
    if states[-1].people != final.people or states[-1].model != final.model:
        raise Violation(f"the database ends with {final}, and its writes with {states[-1]}")
    for each in operations:
        if each.outcome is Outcome.REFUSED and each.result not in _NO_EFFECT:
            _check_refusal(each, states)
        elif each.outcome is Outcome.DONE and each.what in READS:
            _check_read(each, states)
        elif each.outcome is Outcome.DONE and each.what in {"enroll", "import_"} and each.revision is None:
            _check_unchanged(each, states)


def _claimed(operations: Sequence[Operation]) -> dict[int, Operation]:
    """Return the writes by their revisions."""
    claimed: dict[int, Operation] = {}
    for each in operations:
        if each.outcome is Outcome.DONE and each.revision is not None:
            if each.revision in claimed:
                raise Violation(f"two writes as one revision: {claimed[each.revision]} and {each}")
            if not each.before < each.revision <= each.after:
                raise Violation(f"a revision that is not of the time of its write: {each}")
            claimed[each.revision] = each
    return claimed


def _replays(
    states: list[State], claimed: dict[int, Operation], lost: list[Operation], last: int, reasons: dict[int, str]
) -> Iterator[list[State]]:
    """Yield the states after all revisions. Where no write claims a revision, try each of those that were lost."""
    revision = len(states)
    if revision > last:
        yield states
        return
    own = claimed.get(revision)
    reasons.setdefault(revision, f"none of {len(lost)} lost writes fits")
    for each in [own] if own is not None else [one for one in lost if one.before < revision <= one.after]:
        state = states[-1].copy()
        try:
            expected = state.apply(each)
        except Refused as error:
            expected = error
        if isinstance(expected, Refused) or (own is not None and expected != each.result):
            reasons[revision] = f"{each}, expected {expected!r}"
        else:
            yield from _replays([*states, state], claimed, [one for one in lost if one is not each], last, reasons)


def _during(operation: Operation, states: list[State]) -> Iterator[State]:
    yield from states[operation.before : operation.after + 1]


def _check_refusal(operation: Operation, states: list[State]) -> None:
    for state in _during(operation, states):
        if operation.what == "get":
            person = state.people.get(operation.arguments[0])
            if person is None or not person.faces or person.is_over:
                return
            continue
        try:
            state.copy().apply(operation)
        except Refused as error:
            if error.code == operation.result:
                return
    raise Violation(f"refused without a reason: {operation}")


def _check_unchanged(operation: Operation, states: list[State]) -> None:
    """An enrollment that was answered before, or an import of known photos."""
    for state in _during(operation, states):
        if operation.what == "enroll" and operation.arguments[2] in state.answers:
            return
        if operation.what == "import_" and all(
            state.is_known(identity, [photo for _, photo in faces]) for identity, faces in operation.arguments[0]
        ):
            return
    raise Violation(f"nothing was written, without a reason: {operation}")


def _check_read(operation: Operation, states: list[State]) -> None:
    found: Found = operation.result
    if not found.is_genuine:
        raise Violation(f"a template of another face or model: {operation}")
    reasons = [_unlike(operation, found, state, states) for state in _during(operation, states)]
    if all(reasons):
        raise Violation(f"{reasons[-1]}: {operation}")


def _unlike(operation: Operation, found: Found, state: State, states: list[State]) -> str:
    """Return why a state does not explain the result of a read; empty if it does."""
    if found.model is not None and found.model != state.model:
        return f"templates of {found.model}, not {state.model}"
    for identity, each in found.people.items():
        person = state.people.get(identity)
        if person is None or person.is_over or each != (person.name, frozenset(person.faces)):
            return f"{identity} is {person}"
    if operation.what != "search":
        return ""
    owners = state.faces()
    kept = set(owners) & set(states[operation.after].faces())
    must = [frozenset([face]) for face in kept & set(states[min(operation.known, operation.before)].faces())]
    for faces in [*must, *(each for each in operation.seen if each <= kept)]:
        people = {owners[face] for face in faces}
        if not any(name in found.people or state.people[name].is_over for name in people):
            return f"not found: {sorted(people)} of {sorted(faces)}"
    return ""
