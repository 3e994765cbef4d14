"""`arcid doctor`: check everything that the service needs."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

import typer
from rich.table import Table
from rich.text import Text

from app import __version__
from app.access.keys import ANONYMOUS
from app.cli.error_line import error_line
from app.cli.gpu_advice import GpuFacts, gpu_advice
from app.cli.output import show
from app.cli.pack_speed import is_on_cpu, stored
from app.config import Settings, read_settings
from app.container import Container
from app.database.connection import Database
from app.database.schema import Schema
from app.errors import ArcidError, LivenessUnavailable, SchemaOutdated
from app.gallery.store.reencryption import PLAIN, Reencryption
from app.gallery.store.values import Collection
from app.observability.counted import counted
from app.types import LivenessMode, Provider
from app.vision.inference.pack_speed import SpeedRecords, pack_pairs
from app.vision.inference.runtime import resolve, saturates, usable_providers
from app.wiring.networks import detector_parts
from app.wiring.storage import embedded_file, is_embedded

_ONE_OF = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
    "OpenCV": ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "FAISS": ("faiss-cpu", "faiss-gpu", "faiss-gpu-cuvs"),
}


_USE = {"yes": "commercial use allowed", "no": "NO commercial use", "unverified": "commercial use unverified"}
_SHOWN = 20  # refused rows
_SLOW_BYTES = "this CPU lacks VNNI, so they may be as slow as float32; the pack without int8 is more precise"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str
    detail: str
    is_sound: bool = True


def doctor() -> None:
    """Report versions, providers, networks, database and index; exit status 1 if a check fails."""
    settings = read_settings()
    findings = [finding for check in _CHECKS for finding in _guarded(check, settings)]
    table = Table("", "what", "finding", box=None)
    for each in findings:
        table.add_row("ok" if each.is_sound else Text("WRONG", "red"), each.what, each.detail)
    show(table)
    if not all(each.is_sound for each in findings):
        raise typer.Exit(1)


def _guarded(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """Yield a check's findings; an error in the check is a finding as well."""
    try:
        yield from check(settings)
    except (ArcidError, OSError, ImportError) as error:
        text = error_line(error) if isinstance(error, ArcidError) else str(error)
        yield Finding(check.__name__.strip("_"), text, is_sound=False)


def _versions(_settings: Settings) -> Iterator[Finding]:
    yield Finding("ArcID", f"{__version__} on Python {platform.python_version()}")
    for what, names in _ONE_OF.items():
        found = installed(names)
        detail = ", ".join(f"{name} {version}" for name, version in found.items()) or "none is installed"
        yield Finding(what, detail, is_sound=len(found) == 1)
    with_window = [name for name in installed(_ONE_OF["OpenCV"]) if not name.endswith("-headless")]
    if with_window:
        yield Finding(
            "OpenCV", f"{with_window[0]} needs a desktop's libraries; install the headless one", is_sound=False
        )


def installed(names: tuple[str, ...]) -> dict[str, str]:
    """Return the installed distributions among some, with their versions."""
    present = {each.name.lower().replace("_", "-"): each.version for each in metadata.distributions() if each.name}
    return {name: present[name] for name in names if name in present}


def _providers(settings: Settings) -> Iterator[Finding]:
    usable, wanted = usable_providers(), settings.inference.provider
    yield Finding("providers", f"usable: {', '.join(usable)}")
    if Provider.CUDA not in usable:
        facts = GpuFacts.read(installed(_ONE_OF["onnxruntime"]))
        is_required = wanted in {Provider.CUDA, Provider.TENSORRT}
        if is_required or (wanted is Provider.AUTO and facts.has_device):
            yield Finding("GPU", gpu_advice(facts), is_sound=not is_required)
    runtime = resolve(settings.inference.provider, settings.inference.threads)
    yield Finding("provider", f"{settings.inference.provider} takes {runtime.provider}")
    yield Finding("effort", f"{settings.effort} for probes; enrollment is always accurate")


def _networks(settings: Settings) -> Iterator[Finding]:
    container = Container(settings)
    packs = container.packs
    for one in container.models.served:
        detector_parts(packs, one.detector)
    required = [each for one in container.models.served for each in packs.required_by(one.pack, one.detector)]
    required += map(packs.manifest, container.models.further_packs)
    for manifest in {each.name: each for each in required}.values():
        yield Finding(f"pack {manifest.name}", f"{manifest.licence}; {_USE[manifest.commercial_use]}")
        for file in manifest.files:
            path = packs.verified(manifest, file.name)
            yield Finding(f"  {file.name}", f"sha256 {packs.sha256(manifest, file.name)} in {path.parent}")
            if file.ranges:
                yield Finding(
                    "  8-bit products", _SLOW_BYTES if saturates() else "this CPU sums them exactly and quickly"
                )
    if is_on_cpu(settings):
        names = {each.name for each in required}
        for pair in pack_pairs(packs):
            if names & {pair.float32.manifest.name, pair.int8.manifest.name}:
                yield Finding("CPU time in int8", stored(packs, SpeedRecords(settings.data_dir), pair))


def _liveness(settings: Settings) -> Iterator[Finding]:
    """Check the pack against presentation attacks. It may be missing: only some collections need it."""
    container = Container(settings)
    packs, manifest = container.packs, container.models.liveness.manifest
    if not packs.is_begun(manifest):
        yield Finding("liveness", f"not pulled; to check liveness, run: arcid models pull {manifest.name}")
        return
    yield Finding("liveness", f"pack {manifest.name}: {manifest.licence}; {_USE[manifest.commercial_use]}")
    for file in manifest.files:
        path = packs.verified(manifest, file.name)
        yield Finding(f"  {file.name}", f"sha256 {packs.sha256(manifest, file.name)} in {path.parent}")


def _database(settings: Settings) -> Iterator[Finding]:
    if is_embedded(settings) and not embedded_file(settings).exists():
        yield Finding("database", f"{embedded_file(settings)} does not exist yet; `arcid serve` creates it")
        return
    with Container(settings) as container:
        yield Finding("database", str(container.database))
        schema = _schema(container.database.schema)
        yield schema
        if schema.is_sound:
            yield from _encryption(container.current_database)
            yield from _collections(container)
            yield from _deliveries(container)
            yield Finding("index", f"{settings.index} in new collections; see `arcid index status`")


def _schema(schema: Schema) -> Finding:
    try:
        schema.require_current()
    except SchemaOutdated as error:
        return Finding("schema", str(error), is_sound=False)
    return Finding("schema", schema.head())


def _collections(container: Container) -> Iterator[Finding]:
    try:
        served = {network.model for network in container.models.served}
    except ArcidError:  # the check of the networks reports it
        served = None
    for each in container.store.collections():
        faces = counted(container.store.face_count(each), "face")
        yield Finding(f"collection {each.name}", f"{faces} of {each.model}, revision {each.revision}")
        yield from _gate(container, each)
        if served is None or each.model in served:
            continue
        if container.unserved.is_permanent(each):
            yield Finding("  not served", f"nobody is recognized: {container.unserved.problem(each)}", is_sound=False)
        else:
            yield Finding("  not served", "it is empty, so it takes the served network with the next start or request")


def _gate(container: Container, collection: Collection) -> Iterator[Finding]:
    """Report the check of liveness, if the collection has one."""
    mode = collection.settings.liveness
    if mode is LivenessMode.OFF:
        return
    try:
        container.liveness_gate.require_detector()
    except LivenessUnavailable as error:
        yield Finding("  liveness", f"{mode}, and requests are refused: {error.reason or error}", is_sound=False)
    else:
        yield _thresholds(container, collection)


def _thresholds(container: Container, collection: Collection) -> Finding:
    """Report by which thresholds a collection decides on liveness."""
    mode, thresholds = collection.settings.liveness, container.liveness_thresholds
    stale = thresholds.stale(collection)
    if stale is None:
        return Finding("  liveness", f"{mode}, {thresholds(collection).origin or 'uncalibrated'}")
    return Finding(
        "  liveness",
        f"{mode}, uncalibrated: calibration {stale.version} was made with other networks or another detector, so it is "
        f"not used; run: arcid calibrate liveness --collection {collection.name} --live FOLDER",
        is_sound=False,
    )


def _encryption(database: Database) -> Iterator[Finding]:
    resealing = Reencryption(database.engine, database.vault)
    if not database.vault.is_on:
        yield Finding("encryption", f"off; {counted(resealing.left(), 'template')} not encrypted")
        return
    flaws, is_closed = list(resealing.flaws()), database.vault.is_closed
    yet, refused = [each for each in flaws if not each.is_refused], [each for each in flaws if each.is_refused]
    plain = sum(each.why == PLAIN for each in yet)
    state = "unencrypted rows are refused" if is_closed else "not closed yet: arcid keys rotate-data"
    counts = f"{counted(plain, 'unencrypted row')}, {len(yet) - plain} not bound to their owner, {len(refused)} refused"
    yield Finding("encryption", f"on; {counts}; {state}", is_sound=is_closed and not refused)
    for each in refused[:_SHOWN]:
        of, remedy = f"face {each.face_id} of {each.collection}", "delete the face, enroll it again"
        if not each.collection:  # a destination of events
            of, remedy = each.face_id, "delete it, create it again"
        what = f"{each.table}, {of}: {each.why}; {remedy}"
        yield Finding("  refused row", what, is_sound=False)


def _deliveries(container: Container) -> Iterator[Finding]:
    """Count the deliveries that wait, if a destination exists."""
    if container.destinations.all(ANONYMOUS):
        backlog = container.delivery_log.backlog()
        dead = f"{counted(backlog.dead, 'dead letter')}{'; see arcid destinations list' if backlog.dead else ''}"
        yield Finding("events", f"{counted(backlog.pending, 'delivery', 'deliveries')} pending, {dead}")


_CHECKS = (_versions, _providers, _networks, _liveness, _database)
