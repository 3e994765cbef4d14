"""Made-up embeddings for tests without networks."""

import numpy as np

from app.evaluation.values import EmbeddedPhotos, Photo


def embedded(vectors, people, quality=None) -> EmbeddedPhotos:
    """Return photos of `people` with given raw vectors and quality (default 0.5); None means a photo without a face."""
    dimension = max(len(each) for each in vectors if each is not None)
    table = np.full((len(vectors), dimension), np.nan, np.float32)
    for place, each in enumerate(vectors):
        if each is not None:
            table[place] = each
    photos = tuple(Photo(f"{person}/{place}.jpg", b"", str(person)) for place, person in enumerate(people))
    failures = {place: "no_face" for place, each in enumerate(vectors) if each is None}
    boxes = np.zeros((len(vectors), 4), np.float32)
    qualities = np.full(len(vectors), 0.5, np.float32) if quality is None else np.array(quality, np.float32)
    qualities[list(failures)] = np.nan
    return EmbeddedPhotos(photos, table, np.linalg.norm(table, axis=1), boxes, qualities, failures)


def random_people(seed, people=12, photos=5, dimension=8, *, lost=3, noise=0.6) -> EmbeddedPhotos:
    """Return shuffled photos of separable people with tied qualities; some photos have no face."""
    generator = np.random.default_rng(seed)
    owners = generator.permutation(np.repeat(np.arange(people), photos))
    vectors = list(
        generator.normal(size=(people, dimension))[owners] + noise * generator.normal(size=(len(owners), dimension))
    )
    for place in generator.choice(len(vectors), lost, replace=False):
        vectors[place] = None
    return embedded(vectors, owners, generator.integers(0, 8, len(vectors)) / 8)
