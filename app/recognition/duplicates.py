"""Do the faces of an enrollment belong to somebody else already?"""

from collections.abc import Sequence

from app.errors import Duplicate
from app.gallery.store.values import Collection
from app.recognition.candidates import Searchable, nearest_candidates
from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.policy import Policy
from app.recognition.decisions.similarity_view import EXACT, SimilarityView
from app.types import Floats

_NAMED = 3  # look-alikes at most; one more is looked for, who is the person themself


def find_duplicates(
    gallery: Searchable,
    collection: Collection,
    policy: Policy,
    *,
    identity_id: str,
    vectors: Floats,
    photos: Sequence[int],
    view: SimilarityView = EXACT,
) -> list[Duplicate]:
    """Return whom the faces of an enrollment of `identity_id` look like, the most similar first: others, not themself.

    Vectors (n, d) of the policy's scoring, of photos (n,), any n. At the collection's identification error rate for the
    enrollment as a whole: a stranger with several photos has as many chances. Similarities are as `view` rounds them.
    """
    if not len(vectors):
        return []
    comparisons = comparisons_among(collection.identities, collection.faces).repeated(len(vectors))
    rule = policy.for_identification(comparisons)
    found: dict[str, Duplicate] = {}
    near = nearest_candidates(gallery, collection, vectors, _NAMED + 1, scoring=policy.scoring)
    for photo, candidates in zip(photos, near, strict=True):
        for each in candidates:
            known = found.get(each.identity_id)
            is_more = known is None or known.similarity < each.similarity
            if each.identity_id != identity_id and each.similarity >= rule.threshold and is_more:
                similarity = view.rounded(each.similarity)
                fpir = policy.fpir(similarity, comparisons)
                found[each.identity_id] = Duplicate(
                    photo, each.identity_id, each.face_id, each.faces, similarity, fpir.value, fpir.range
                )
    return sorted(found.values(), key=lambda each: -each.similarity)[:_NAMED]
