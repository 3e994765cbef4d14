"""Screening of an enrollment: its faces should resemble each other and their identity, and nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from app.errors import Duplicate, DuplicateIdentity, FaceMismatch, IdentityUnknown, RejectedPhoto
from app.gallery.store.enrolled import LockedCollection
from app.gallery.store.rows import changed
from app.gallery.store.values import Collection, CollectionSettings, EnrolledIdentity, Reaction
from app.recognition.candidates import Searchable
from app.recognition.decisions.policy import Policy
from app.recognition.decisions.similarity_view import EXACT, SimilarityView
from app.recognition.duplicates import find_duplicates
from app.recognition.identity_consistency import IdentityConsistency, assess_consistency
from app.types import Floats, RateRange


@dataclass(frozen=True, slots=True)
class Reactions:
    """Reactions to faces that resemble another identity, and to faces unlike their own identity.

    None: the collection's setting.
    """

    on_duplicate: Reaction | None = None
    on_mismatch: Reaction | None = None

    def within(self, settings: CollectionSettings) -> "Reactions":
        """Return what is done in a collection with these settings: none of them None."""
        return Reactions(self.on_duplicate or settings.on_duplicate, self.on_mismatch or settings.on_mismatch)

    def refusals(self) -> "Reactions":
        """Return the reactions with ALLOW for everything that does not refuse, so that it is not searched for."""
        return Reactions(_only_rejected(self.on_duplicate), _only_rejected(self.on_mismatch))

    def is_refusing(self) -> bool:
        """Whether anything is refused."""
        return Reaction.REJECT in {self.on_duplicate, self.on_mismatch}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A photo of an enrollment (from 0) whose face does not look like the `faces` others of its identity.

    `similarity` is to their template, `fmr` the share of other people that are as similar to it, and `fmr_range` the
    range in which the true share lies, None where the network is not calibrated. All three are None for callers who may
    not read templates.
    """

    photo: int
    similarity: float | None
    faces: int
    fmr: float | None
    fmr_range: RateRange | None = None


@dataclass(frozen=True, slots=True)
class NewFaces:
    """The accepted faces of an enrollment: vectors (n, d) of the policy's scoring, qualities (n,), and their photos."""

    vectors: Floats
    qualities: Floats
    photos: Sequence[int]

    def only(self, places: Sequence[int]) -> "NewFaces":
        """Return some of them."""
        return NewFaces(self.vectors[places], self.qualities[places], [self.photos[place] for place in places])


@dataclass(frozen=True, slots=True)
class ScreeningResult:
    """`mismatches` and `duplicates` to report; the photos in `rejected` must not be enrolled.

    The people of the collection's `revision`, or of a later one, were compared; None if any revision would do.
    """

    rejected: list[RejectedPhoto]
    mismatches: list[Mismatch]
    duplicates: list[Duplicate]
    revision: int | None = None


class People(Searchable, Protocol):
    """The people that the faces of an enrollment are compared with."""

    def enrolled(self, collection: Collection, identity_id: str) -> EnrolledIdentity:
        """See `Gallery.enrolled`."""


def screen(
    gallery: People,
    collection: Collection,
    policy: Policy,
    *,
    identity_id: str,
    faces: NewFaces,
    do: Reactions,
    view: SimilarityView = EXACT,
) -> ScreeningResult:
    """Compare the faces of an enrollment (n >= 1) with each other, with their identity's and with everybody else's.

    `view` is what the caller sees of similarities.
    """
    mismatches = (
        [] if do.on_mismatch is Reaction.ALLOW else _mismatches(gallery, collection, policy, identity_id, faces)
    )
    if not view.is_exact:
        mismatches = [replace(each, similarity=None, fmr=None, fmr_range=None) for each in mismatches]
    rejected = []
    if do.on_mismatch is Reaction.REJECT:
        rejected = [RejectedPhoto(each.photo, FaceMismatch.code, _detail(each)) for each in mismatches]
        mismatches = []
    if do.on_duplicate is Reaction.ALLOW:
        return ScreeningResult(rejected, mismatches, [])
    asked = _asked(faces, {each.photo for each in rejected}, policy)
    found = find_duplicates(
        gallery,
        collection,
        policy,
        identity_id=identity_id,
        vectors=asked.vectors,
        qualities=asked.qualities,
        photos=asked.photos,
        view=view,
    )
    return ScreeningResult(rejected, mismatches, found)


def _asked(faces: NewFaces, refused: set[int], policy: Policy) -> NewFaces:
    """Return the faces that are compared with other people's: low-quality ones resemble everybody."""
    is_asked = [
        photo not in refused and quality >= policy.probe_quality
        for photo, quality in zip(faces.photos, faces.qualities, strict=True)
    ]
    return faces.only(np.flatnonzero(is_asked).tolist())


def screen_again(
    locked: LockedCollection,
    *,
    policy: Policy,
    identity_id: str,
    faces: NewFaces,
    do: Reactions,
    revision: int,
    view: SimilarityView = EXACT,
) -> None:
    """Screen once more inside the write, against the people who have changed since `revision`.

    Two concurrent requests cannot see each other's faces in their first screening. This one compares with all changed
    people, so the later request is refused.

    Raises:
        DuplicateIdentity: If the faces now resemble another identity.
        CollectionSwitched: If a photo no longer fits its identity. The caller then screens the whole request again.
    """
    people = locked.changed_since(revision)
    if not any(each.identity_id == identity_id for each in people):
        do = Reactions(do.on_duplicate, Reaction.ALLOW)
    collection = locked.current()
    again = screen(
        _ChangedPeople(locked, people), collection, policy, identity_id=identity_id, faces=faces, do=do, view=view
    )
    if again.rejected:
        raise changed(collection)
    if again.duplicates and do.on_duplicate is Reaction.REJECT:
        raise DuplicateIdentity(again.duplicates)


class _ChangedPeople:
    """See `People`: the people of a locked collection who have changed."""

    def __init__(self, locked: LockedCollection, people: list[EnrolledIdentity]) -> None:
        self._locked = locked
        self._people = people

    def nearest_identities(self, *_: object, **__: object) -> list[EnrolledIdentity]:
        return self._people

    def enrolled(self, collection: Collection, identity_id: str) -> EnrolledIdentity:  # noqa: ARG002
        return self._locked.enrolled(identity_id)


def _only_rejected(reaction: Reaction | None) -> Reaction:
    return Reaction.REJECT if reaction is Reaction.REJECT else Reaction.ALLOW


def _mismatches(
    gallery: People, collection: Collection, policy: Policy, identity_id: str, faces: NewFaces
) -> list[Mismatch]:
    try:
        there = policy.scoring.identity(gallery.enrolled(collection, identity_id))
    except IdentityUnknown:
        found, first = assess_consistency(faces.vectors, faces.qualities, policy), 0
    else:
        first = len(there.keys)
        vectors, qualities = (
            np.concatenate(each) for each in ((there.vectors, faces.vectors), (there.qualities, faces.qualities))
        )
        found = assess_consistency(vectors, qualities, policy, enrolled=first)
    return [
        _mismatch(found, first + place, photo, policy)
        for place, photo in enumerate(faces.photos)
        if not found.fits[first + place] or not found.is_majority
    ]


def _mismatch(found: IdentityConsistency, place: int, photo: int, policy: Policy) -> Mismatch:
    similarity, faces = float(found.similarities[place]), int(found.others[place])
    fmr = policy.fmr(similarity, faces)
    return Mismatch(photo, similarity, faces, fmr.value, fmr.range)


def _detail(of: Mismatch) -> str:
    figure = "" if of.similarity is None else f" (similarity {of.similarity:.2f})"
    return (
        f"the face does not look like the identity's {of.faces} other faces{figure}; send on_mismatch=allow if it is "
        "the same person"
    )
