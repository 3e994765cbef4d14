"""`arcid models quantize` and `arcid models import`: make packs of your own."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.comparison import show_comparison
from app.cli.counting import counting
from app.cli.models import cli
from app.cli.output import Console
from app.cli.train import require_training
from app.cli.train_commands import Aligned, Commercial, Out, show_written
from app.cli.train_run import with_options
from app.config import read_settings


@cli.command()
def quantize(
    pack: Annotated[str, typer.Argument(help="The pack whose network to quantise.")],
    *,
    photos: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="100 people or more (person/photo.jpg), or 50 photos.")
    ],
    out: Out = Path(),
    name: Annotated[str | None, typer.Option(help="Name of the new pack; default: PACK-int8-own.")] = None,
    aligned: Aligned = False,
) -> None:
    """Write the int8 form of a pack, with ranges of your photos, and compare both. Its terms are the pack's.

    A folder person/photo.jpg also calibrates it, with about 450 people or more.
    """
    from app.wiring.quantising import quantise_pack  # noqa: PLC0415 - onnx takes a second

    folder = out / (name or f"{pack}-int8-own")
    with counting("photos") as advance:
        made = quantise_pack(read_settings(pack=pack), photos, folder, is_aligned=aligned, advance=advance)
    show_comparison(made.comparison)
    console = Console()
    if not made.is_calibrated:
        console.print("not calibrated: the threshold is that of the pack; calibrate it with 450 people or more")
    console.print(f"written to {folder}; arcid models add {folder}", highlight=False, soft_wrap=True)


@cli.command("import")
def import_network(  # noqa: PLR0913 - the options of a command
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A .pt or .pth file of arcface_torch.")],
    *,
    arch: Annotated[str, typer.Option(help="iresnet18, 34, 50, 100 or mbf.")],
    licence: Annotated[str, typer.Option(help="Licence under which you may use the network.")],
    commercial_use: Commercial = "unverified",
    out: Out = Path(),
    name: Annotated[str | None, typer.Option(help="Name of the pack; default: that of the file.")] = None,
    detector: Annotated[str | None, typer.Option(help="Detector that the pack will name.")] = None,
    calibrate: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Folder of people.")] = None,
    aligned: Annotated[bool, typer.Option("--aligned", help="The people's photos are 112x112 crops.")] = False,
) -> None:
    """Convert a network of InsightFace's arcface_torch to a pack. No code of the file is executed."""
    require_training()
    from app.training.export.pack import OperatorTerms  # noqa: PLC0415 - PyTorch takes seconds
    from app.wiring.importing import import_pack  # noqa: PLC0415 - as above

    settings = with_options(read_settings(), detector=detector)
    folder = out / (name or file.stem.lower())
    with counting("photos") as advance:
        terms = OperatorTerms(licence, commercial_use)
        import_pack(settings, file, arch, folder, terms, people=calibrate, is_aligned=aligned, advance=advance)
    show_written(folder, calibrate)
