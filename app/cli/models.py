"""`arcid models`: list, pull, measure, verify and add packs of networks."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.cli.output import Console, show
from app.cli.pack_speed import is_on_cpu, measure_pulled, measured
from app.config import read_settings
from app.container import Container
from app.errors import NetworkError, SettingsInvalid
from app.observability.counted import counted
from app.recognition.decisions.calibration.error_rates import read_calibration
from app.vision.inference.manifest import Manifest
from app.vision.inference.pack_speed import SpeedRecords, pack_pairs
from app.wiring.networks import require_openable

cli = typer.Typer(help="Packs of networks: list, pull, measure, verify, add.", no_args_is_help=True)

AcceptLicense = Annotated[bool, typer.Option("--accept-license", help="Accept a licence that forbids commercial use.")]


@cli.command("list")
def list_packs() -> None:
    """List all packs, their licences, and which are pulled."""
    packs = Container(read_settings()).packs
    table = Table(
        "pack", "pulled", "commercial use", "licence", "detector", "embedder", "liveness", "attributes", box=None
    )
    for each in packs.manifests():
        detector = each.detector.kind if each.detector else (each.default_detector or "")
        embedder = f"{each.embedder.model}, {each.embedder.dimension}-d" if each.embedder else ""
        liveness = counted(len(each.liveness.networks), "network") if each.liveness else ""
        pulled = "yes" if packs.has(each) else "no"
        attributes = "age, gender" if each.attributes else ""
        table.add_row(each.name, pulled, each.commercial_use, each.licence, detector, embedder, liveness, attributes)
    show(table)


@cli.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="Packs to pull; the detectors that they need are pulled too.")],
    *,
    accept_license: AcceptLicense = False,
    again: Annotated[bool, typer.Option("--again", help="Pull packs again even if they are present.")] = False,
) -> None:
    """Download packs, check their hashes, convert them for ONNX Runtime; measure the CPU time of int8 here."""
    settings, console, pulled = read_settings(), Console(), list[str]()
    packs = Container(settings).packs
    wanted = {each.name: each for name in names for each in packs.required_by(name)}
    for manifest in wanted.values():
        if packs.has(manifest) and not again:
            console.print(f"{manifest.name}: here already", highlight=False)
            continue
        with console.status(f"pulling {manifest.name} ..."):
            packs.pull(manifest, is_licence_accepted=accept_license)
        console.print(f"{manifest.name}: pulled ({manifest.licence})", highlight=False)
        pulled.append(manifest.name)
    if pulled and is_on_cpu(settings):
        measure_pulled(packs, SpeedRecords(settings.data_dir), pulled, console)


@cli.command("measure")
def measure_packs() -> None:
    """Measure the CPU time of packs in int8 on this machine again, and name the pack for new collections."""
    settings, console = read_settings(), Console()
    if not is_on_cpu(settings):
        raise SettingsInvalid("networks do not run on the CPU here, and int8 saves time only there")
    packs, records = Container(settings).packs, SpeedRecords(settings.data_dir)
    pairs = pack_pairs(packs)
    for pair in [each for each in pairs if packs.has(each.float32.manifest)] or pairs:
        console.print(measured(packs, records, pair, console), highlight=False, soft_wrap=True)


@cli.command()
def verify() -> None:
    """Check the SHA-256 of every pulled file; exit status 1 if one differs."""
    packs, console = Container(read_settings()).packs, Console()
    is_sound = True
    for manifest in packs.manifests():
        if not packs.is_begun(manifest):
            continue
        for file in manifest.files:
            try:
                packs.verified(manifest, file.name)
            except NetworkError as error:
                is_sound = False
                console.print(f"{manifest.name}/{file.name}: {error}", style="red", highlight=False, soft_wrap=True)
            else:
                console.print(f"{manifest.name}/{file.name}: sound", highlight=False)
    if not is_sound:
        raise typer.Exit(1)


@cli.command()
def add(
    folder: Annotated[Path, typer.Argument(help="Folder with a manifest.toml, its ONNX files and calibrations/.")],
    *,
    accept_license: AcceptLicense = False,
) -> None:
    """Add a local folder of ONNX files as a pack, under the folder's name."""
    for path in (folder / "calibrations").glob("*.json"):
        read_calibration(path)  # report a damaged one now, not at the first request
    packs = Container(read_settings()).packs
    manifest = packs.add(folder.resolve(), is_licence_accepted=accept_license, require=require_openable)
    Console().print(f"{manifest.name}: added; use it with {_setting(manifest)}={manifest.name}", highlight=False)


def _setting(manifest: Manifest) -> str:
    """Return the setting that names a pack like this."""
    if manifest.embedder is not None:
        return "ARCID_PACK"
    return "ARCID_LIVENESS__PACK" if manifest.detector is None else "ARCID_DETECTOR"
