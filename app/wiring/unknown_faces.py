"""Unknown faces of a process, and their groups."""

from functools import cached_property

from app.gallery.store.unknown.faces import UnknownFaceStore
from app.recognition.unknown_faces import UnknownFaceLimits, UnknownFaceService
from app.wiring.resources import Resources


class UnknownFaces(Resources):
    """Resources of a process that remembers unknown faces."""

    @cached_property
    def unknown_face_store(self) -> UnknownFaceStore:
        """The unknown faces in the database."""
        return UnknownFaceStore(self.current_database.engine, self.current_database.vault)

    @cached_property
    def unknown_faces(self) -> UnknownFaceService:
        """Unknown faces that are remembered."""
        settings, registry = self.settings.unknown_faces, self.registry
        return UnknownFaceService(
            self.gallery,
            self.unknown_face_store,
            registry.analysis_of,
            registry.policy_of,
            UnknownFaceLimits(settings.most_days, settings.most_faces),
            crops=self.crops,
            scrubber=self.scrubber,
        )
