"""Packs of networks in the data folder: pull, add, verify and read them."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from app.disk import make_folder, rename, sync_file
from app.errors import (
    LicenceNotAccepted,
    ManifestInvalid,
    NetworkCorrupt,
    NetworkError,
    NetworkMissing,
    PackUnknown,
)
from app.vision.inference.archives import check_sha256
from app.vision.inference.downloads import Mirrors
from app.vision.inference.manifest import Manifest, read_manifest

_RECORD = "pulled.json"  # in the folder of a pack: the SHA-256 of each converted file
_CALIBRATIONS = "calibrations"  # folder of an added pack
_MEANT = 0.7  # similarity of a name that is probably meant


class Packs:
    """The packs of a data folder. Manifests come with the project, or with files that the operator added."""

    def __init__(
        self, shipped: Path, folder: Path, mirrors: Mirrors | None = None, *, is_private: bool = False
    ) -> None:
        """Open the packs of a folder.

        Args:
            shipped: Folder of the shipped manifests.
            folder: Folder of the files that were pulled or added.
            mirrors: Replacements of the addresses from which packs are pulled.
            is_private: Whether only the owner may read the files.
        """
        self._shipped = shipped
        self._folder = folder
        self._mirrors = mirrors or Mirrors()
        self._mode = 0o600 if is_private else 0o644

    def manifests(self) -> Iterator[Manifest]:
        """Yield the manifests of all packs, sorted by name."""
        paths = {path.stem: path for path in self._shipped.glob("*.toml")}
        paths |= {path.parent.name: path for path in self._folder.glob("*/manifest.toml")}
        for _, path in sorted(paths.items()):
            yield read_manifest(path)

    def manifest(self, name: str) -> Manifest:
        """Return the manifest of a pack; raises PackUnknown."""
        for path in (self._folder / name / "manifest.toml", self._shipped / f"{name}.toml"):
            if path.is_file():
                return read_manifest(path)
        raise PackUnknown(f"there is no pack {name!r}; {self._nearest(name)}")

    def has(self, manifest: Manifest) -> bool:
        """Return whether all files of the pack exist; `verified` checks their hashes."""
        return all((self._folder / manifest.name / file.name).is_file() for file in manifest.files)

    def is_begun(self, manifest: Manifest) -> bool:
        """Return whether any file of the pack exists."""
        return any((self._folder / manifest.name / file.name).exists() for file in manifest.files)

    def required_by(self, name: str, detector: str | None = None) -> list[Manifest]:
        """Return the pack and the packs of its detector (`detector`, or its default), without repetitions."""
        manifest = self.manifest(name)
        chosen = detector or manifest.default_detector or ""
        names = dict.fromkeys([name, *(part for part in chosen.split("+") if part)])
        return [self.manifest(part) for part in names]

    def pull(self, manifest: Manifest, *, is_licence_accepted: bool = False) -> None:
        """Download, check and convert the files of a pack, then move all of them into the data folder.

        Raises LicenceNotAccepted, ArchiveUnavailable, NetworkCorrupt, NetworkInvalid, ManifestInvalid.
        """
        _require_consent(manifest, is_licence_accepted=is_licence_accepted, done="pull")
        # Imported here, because serving does not need onnx.
        from app.vision.inference.building import NetworkBuilder  # noqa: PLC0415

        with NetworkBuilder(manifest.archives, self._mirrors) as builder:
            networks = {file.name: builder.build(file) for file in manifest.files}
        self._install(manifest.name, networks)

    def add(
        self,
        folder: Path,
        *,
        is_licence_accepted: bool = False,
        require: Callable[[Manifest, Mapping[str, bytes]], None] = lambda _manifest, _files: None,
    ) -> Manifest:
        """Copy a folder with a manifest.toml, its ONNX files and `calibrations/`, and return its manifest.

        Args:
            folder: The folder; its name becomes that of the pack.
            is_licence_accepted: Whether the operator accepts the licence.
            require: Called with the manifest and the files by name; raises if they cannot be used.

        Raises:
            ManifestInvalid, NetworkCorrupt, NetworkInvalid, LicenceNotAccepted: Nothing is copied then.
        """
        from app.vision.inference.conversion.external_data import refuse_external_data  # noqa: PLC0415 - needs onnx

        manifest = read_manifest(folder / "manifest.toml")
        _require_consent(manifest, is_licence_accepted=is_licence_accepted, done="add")
        if (self._shipped / f"{manifest.name}.toml").is_file():
            raise ManifestInvalid(f"there is a pack {manifest.name!r} already; rename the folder")
        contents = {"manifest.toml": (folder / "manifest.toml").read_bytes()}
        for file in manifest.files:
            path = folder / file.name
            if not path.is_file():
                raise ManifestInvalid(f"{path} is listed in the manifest but missing")
            contents[file.name] = path.read_bytes()
            if file.sha256 is not None:
                check_sha256(contents[file.name], file.sha256, str(path))
            refuse_external_data(contents[file.name], file.name)
        require(manifest, contents)
        for path in sorted((folder / _CALIBRATIONS).glob("*.json")):
            contents[f"{_CALIBRATIONS}/{path.name}"] = path.read_bytes()
        self._install(manifest.name, contents)
        return manifest

    def source_sha256s(self, model: str) -> frozenset[str]:
        """Return the SHA-256s of all known network files of a model, without those whose record is damaged."""
        known = set()
        for manifest in self.manifests():
            if manifest.embedder is not None and manifest.embedder.model == model:
                with suppress(NetworkError):
                    known.add(self.source_sha256(manifest, manifest.embedder.file))
        return frozenset(known - {"unknown"})

    def only_source_sha256(self, model: str) -> str | None:
        """Return the SHA-256 of a model's network file; None unless exactly one is known."""
        known = self.source_sha256s(model)
        return next(iter(known)) if len(known) == 1 else None

    def calibrations_of(self, manifest: Manifest) -> Path | None:
        """Return the folder of an added pack's calibrations, which may not exist; None for a shipped pack."""
        folder = self._folder / manifest.name
        return folder / _CALIBRATIONS if (folder / "manifest.toml").is_file() else None

    def verified(self, manifest: Manifest, file: str) -> Path:
        """Return the path of a network after checking its hash; raises as `read`."""
        self.read(manifest, file)
        return self._folder / manifest.name / file

    def read(self, manifest: Manifest, file: str) -> bytes:
        """Return a network's bytes after checking their hash: the caller loads exactly the bytes that were checked.

        Raises NetworkMissing (with the command that pulls it) or NetworkCorrupt.
        """
        folder = self._folder / manifest.name
        path = folder / file
        if not path.is_file():
            raise NetworkMissing(f"{path} is missing; run: {self._remedy(manifest)}")
        expected = self._record(folder).get(file)
        if expected is None:
            raise NetworkCorrupt(f"{folder / _RECORD} does not know {file}; run: {self._remedy(manifest)}")
        data = path.read_bytes()
        check_sha256(data, expected, str(path))
        return data

    def source_sha256(self, manifest: Manifest, file: str) -> str:
        """Return the SHA-256 of a network's source, which conversion does not change; of the file itself if added."""
        pinned = {listed.name: listed.source_sha256 for listed in manifest.files}
        return pinned.get(file) or self.sha256(manifest, file) or "unknown"

    def sha256(self, manifest: Manifest, file: str) -> str | None:
        """Return the recorded SHA-256 of a file; None before it is pulled or added."""
        return self._record(self._folder / manifest.name).get(file)

    def _nearest(self, name: str) -> str:
        """Return a sentence with the pack that is probably meant, or with all: those with an embedder first."""
        has_embedder = {each.name: each.embedder is not None for each in self.manifests()}
        if meant := get_close_matches(name.lower(), has_embedder, n=1, cutoff=_MEANT):
            return f"did you mean {meant[0]}?"
        embedders = [each for each, is_embedder in has_embedder.items() if is_embedder]
        detectors = [each for each, is_embedder in has_embedder.items() if not is_embedder]
        without_embedder = f"; without an embedder: {', '.join(detectors)}" if detectors else ""
        return f"known: {', '.join(embedders)}{without_embedder}"

    def _remedy(self, manifest: Manifest) -> str:
        is_shipped = (self._shipped / f"{manifest.name}.toml").is_file()
        return f"arcid models {f'pull {manifest.name}' if is_shipped else f'add FOLDER/{manifest.name}'}"

    def _record(self, folder: Path) -> dict[str, str]:
        try:
            record = json.loads((folder / _RECORD).read_text("utf-8"))
            return {str(file): str(sha256) for file, sha256 in record.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError) as error:
            raise NetworkCorrupt(f"{folder / _RECORD} is damaged; pull the pack again") from error

    def _install(self, name: str, contents: dict[str, bytes]) -> None:
        folder = self._folder / name
        record = {file: hashlib.sha256(data).hexdigest() for file, data in contents.items()}
        for file, data in [*contents.items(), (_RECORD, json.dumps(record, indent=1).encode())]:
            path = folder / file
            self._make(path.parent)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as file_:
                part = Path(file_.name)
                try:
                    file_.write(data)
                    file_.close()  # Windows does not rename open files
                    part.chmod(self._mode)
                    sync_file(part)
                    rename(part, path)
                except OSError:
                    part.unlink(missing_ok=True)
                    raise

    def _make(self, folder: Path) -> None:
        """Make a folder that the readers of its files may open, independent of the umask."""
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        make_folder(folder)
        for parent in missing:
            parent.chmod(self._mode | (self._mode & 0o444) >> 2)


def _require_consent(manifest: Manifest, *, is_licence_accepted: bool, done: str) -> None:
    if manifest.needs_licence_consent() and not is_licence_accepted:
        raise LicenceNotAccepted(
            f"{manifest.name} is published under: {manifest.licence}. To accept that, {done} it with --accept-license"
        )
