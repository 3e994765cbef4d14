"""Unknown faces of a process, and their groups."""

from functools import cached_property

from app.database.leader_lock import TaskLock
from app.gallery.store.unknown.faces import UnknownFaceStore
from app.gallery.store.unknown.group_edits import GroupEditor
from app.gallery.store.unknown.grouping import GroupingStore
from app.gallery.store.unknown.groups import GroupReader
from app.recognition.group_naming import GroupNamingService
from app.recognition.unknown_faces import UnknownFaceLimits, UnknownFaceService
from app.recognition.unknown_grouping import GroupingWorker, UnknownGroupingService
from app.recognition.unknown_groups import UnknownGroupService
from app.wiring.enrolling import EnrollingResources


class UnknownFaces(EnrollingResources):
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

    @cached_property
    def group_reader(self) -> GroupReader:
        """The groups of unknown faces in the database."""
        return GroupReader(self.current_database.engine, self.current_database.vault, self.crops)

    @cached_property
    def unknown_groups(self) -> UnknownGroupService:
        """The groups of unknown faces, as callers review them."""
        editor = GroupEditor(self.current_database.engine)
        return UnknownGroupService(self.gallery, self.group_reader, editor, self.scrubber)

    @cached_property
    def group_naming(self) -> GroupNamingService:
        """Naming of groups."""
        return GroupNamingService(self.gallery, self.group_reader, self.enrollment, self.registry.analysis_of)

    @cached_property
    def unknown_grouping(self) -> UnknownGroupingService:
        """Grouping of unknown faces."""
        registry, database = self.registry, self.current_database
        store = GroupingStore(database.engine, database.vault, self.crops)
        return UnknownGroupingService(self.gallery, store, registry.analysis_of, registry.policy_of)

    @cached_property
    def grouping_worker(self) -> GroupingWorker:
        """The thread that groups new unknown faces."""
        every = self.settings.unknown_faces.group_seconds
        return GroupingWorker(self.unknown_grouping, TaskLock(self.database.engine), every=every)
