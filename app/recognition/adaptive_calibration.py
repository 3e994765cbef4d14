"""Adaptive calibration of collections: learn the impostor similarities of their people, and write versions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from app.gallery.store.calibration_state import CalibrationVersion, ProbeSums
from app.gallery.store.calibration_versions import CalibrationRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.adaptation import LEAST_PEOPLE
from app.recognition.decisions.calibration.error_rates import Calibration, scoring_of
from app.recognition.decisions.calibration.moments import moments_of_gallery
from app.recognition.decisions.calibration.versions import curves, look_alike_threshold, next_version
from app.recognition.model_registry import ModelRegistry
from app.recognition.probe_learning import ProbeReference
from app.types import Floats, Keys

_MOST_PEOPLE = 1000
"""People whose pairs are compared: 499,500 pairs."""


@dataclass(frozen=True, slots=True)
class GallerySample:
    """One face each of some people of a collection: keys (n,), embeddings (n, d), norms (n,), ids of the people (n)."""

    keys: Keys
    embeddings: Floats
    norms: Floats
    identity_ids: tuple[str, ...]


class AdaptiveCalibrationService:
    """See `update`; the service changes collections only through versions."""

    def __init__(self, store: IdentityStore, repository: CalibrationRepository, registry: ModelRegistry) -> None:
        self._store = store
        self._repository = repository
        self._registry = registry

    def sample(self, collection: Collection) -> GallerySample:
        """Return one face each of at most 1,000 people, the same ones as long as they are enrolled.

        Raises CollectionSwitched if the collection moves to another network.
        """
        owners = self._repository.sample(collection, _MOST_PEOPLE)
        vectors = {
            key: vector
            for keys, block, _ in self._store.templates_of(list(owners), collection)
            for key, vector in zip(keys.tolist(), block, strict=True)
        }
        keys = [key for key in owners if key in vectors]
        return GallerySample(
            np.array(keys, np.int64),
            np.array([vectors[key] for key in keys], np.float32).reshape(-1, collection.dimension),
            np.array([owners[key].norm for key in keys], np.float32),
            tuple(owners[key].identity_id for key in keys),
        )

    def base_of(self, collection: Collection) -> Calibration | None:
        """Return the fitted calibration of a collection if it can be adapted, or else None.

        Raises CalibrationInvalid for a damaged file.
        """
        base = self._registry.base_calibration(collection)
        is_served = self._registry.of(collection).model == collection.model
        return base if base is not None and base.moments is not None and is_served else None

    def reference(self, collection: Collection, base: Calibration, sample: GallerySample) -> ProbeReference:
        """Return what the probes of a collection are compared with."""
        _, of_probes = curves(collection, base)
        return ProbeReference(
            sample.keys,
            scoring_of(base).vectors(sample.embeddings, sample.norms),
            sample.identity_ids,
            look_alike_threshold(of_probes, max(len(sample.keys), LEAST_PEOPLE)),
            collection.revision,
            collection.identities,
        )

    def update(
        self, collection: Collection, base: Calibration, probes: ProbeSums, sample: GallerySample
    ) -> CalibrationVersion | None:
        """Write the next version of a collection's calibration and return it.

        Return None if nothing has changed noticeably, or if another process was quicker.
        """
        of_gallery, _ = curves(collection, base)
        below = look_alike_threshold(of_gallery, max(len(sample.keys), LEAST_PEOPLE))
        moments = moments_of_gallery(scoring_of(base).vectors(sample.embeddings, sample.norms), below)
        version = next_version(collection, base, moments, probes, now=datetime.now(UTC))
        return version if version is not None and self._repository.write(collection, version) else None

    def adapt_at_once(self, name: str) -> list[CalibrationVersion]:
        """Write all versions of a collection until nothing moves any more, and return them.

        Raises CollectionUnknown, CollectionSwitched if the collection moves to another network, and CalibrationInvalid
        if the network's calibration file cannot be used.
        """
        return list(self._all_versions(name))

    def _all_versions(self, name: str) -> Iterable[CalibrationVersion]:
        while True:
            collection = self._store.collection(name)
            base = self.base_of(collection)
            if base is None:
                return
            probes, sample = self._repository.probe_sums(collection), self.sample(collection)
            version = self.update(collection, base, probes, sample)
            if version is None:
                return
            yield version
