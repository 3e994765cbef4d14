"""Build of a pack's network files: fetch their sources, check the hashes, convert."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from app.errors import ManifestInvalid
from app.vision.inference.archives import check_sha256, fetched, read_member
from app.vision.inference.conversion.external_data import refuse_external_data
from app.vision.inference.conversion.fusion import Branch, fuse
from app.vision.inference.conversion.steps import convert
from app.vision.inference.downloads import Mirrors, download_file
from app.vision.inference.manifest import File, FusedNetwork, NetworkSource, PackageArchive
from app.vision.inference.templates import TEMPLATES


class NetworkBuilder:
    """Builds network files; use it as a context manager. It downloads each archive once."""

    def __init__(self, archives: Mapping[str, PackageArchive], mirrors: Mirrors) -> None:
        self._archives = archives
        self._mirrors = mirrors
        self._fetched = dict[str, Path]()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start without archives."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete the archives."""
        self._stack.__exit__(kind, error, trace)

    def build(self, file: File) -> bytes:
        """Return the ONNX file; raises ArchiveUnavailable, NetworkCorrupt, NetworkInvalid, ManifestInvalid."""
        network = fuse([self._branch(each) for each in file.networks]) if file.networks else self._converted(file)
        refuse_external_data(network, file.name)
        return network

    def _branch(self, part: FusedNetwork) -> Branch:
        is_bgr, template = part.color == "bgr", TEMPLATES[part.alignment]
        return Branch(self._converted(part), part.weight, is_bgr=is_bgr, template=template)

    def _converted(self, source: NetworkSource) -> bytes:
        data, *others = self._fetch(source)
        return convert(data, source.conversion, others, ranges=source.ranges)

    def _fetch(self, source: NetworkSource) -> list[bytes]:
        """Return the files of a source as they are published."""
        if source.downloads:
            return [download_file(each, self._mirrors.files) for each in source.downloads]
        if source.archive is None:
            raise ManifestInvalid("a network without a source was added from a folder; it cannot be pulled")
        if source.archive not in self._fetched:
            archive = self._archives[source.archive]
            self._fetched[source.archive] = self._stack.enter_context(fetched(archive, self._mirrors.insightface))
        part = read_member(self._fetched[source.archive], source.member or "")
        if source.sha256 is not None:
            check_sha256(part, source.sha256, f"{source.member} of {source.archive}")
        return [part]
