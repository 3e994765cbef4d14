"""`arcid train export, adapter`: export a run as a pack, or adapt a pack to your photos."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.cli.comparison import show_run_comparison
from app.cli.counting import counting
from app.cli.output import Console
from app.cli.train import cli, require_training
from app.cli.train_run import cropper_opener, with_options
from app.config import read_settings
from app.errors import TrainingInvalid
from app.types import CommercialUse

Out = Annotated[Path, typer.Option(file_okay=False, help="Folder in which to create the pack's folder, NAME/.")]
Name = Annotated[str | None, typer.Option(help="Name of the pack; default: derived from its source.")]
Pack = Annotated[str, typer.Option(help="The pack to start from.")]
Data = Annotated[Path, typer.Option(exists=True, help="Folder person/photo.jpg, or another data set.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="The photos are 112x112 crops already.")]
Detector = Annotated[str | None, typer.Option(help="Detector that aligns the photos, and that the pack will name.")]
Calibrate = Annotated[
    Path | None,
    typer.Option("--calibrate", exists=True, file_okay=False, help="Folder of people outside the training data."),
]
Compare = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Folder of people outside the training data: compare networks."),
]
Commercial = Annotated[CommercialUse, typer.Option(help="Whether the network may be used commercially.")]
Threshold = Annotated[float | None, typer.Option(min=-1, max=1, help="Fixed threshold instead of a calibration's.")]


@cli.command()
def export(  # noqa: PLR0913 - the options of a command
    run: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of a training run.")],
    *,
    out: Out,
    name: Name = None,
    licence: Annotated[str | None, typer.Option(help="Licence under which you may distribute the network.")] = None,
    commercial_use: Commercial = "unverified",
    detector: Detector = None,
    best: Annotated[bool, typer.Option("--best", help="Export the best checkpoint, not the last one.")] = False,
    calibrate: Calibrate = None,
    compare: Compare = None,
    aligned: Aligned = False,
    threshold: Threshold = None,
) -> None:
    """Export a run as a pack: ONNX, manifest, calibrations."""
    require_training()
    from app.training.checkpoint import BEST, LAST, load_trained  # noqa: PLC0415 - as above
    from app.training.export.pack import PackMetadata, model_name, require_new_pack  # noqa: PLC0415 - as above
    from app.training.export.run_pack import PREPROCESSING, write_pack  # noqa: PLC0415 - as above
    from app.training.export.terms import inherited_terms  # noqa: PLC0415 - as above
    from app.wiring import training as wiring  # noqa: PLC0415 - PyTorch takes seconds

    trained = load_trained(run, BEST if best else LAST)
    name = name or run.resolve().name
    require_new_pack(out / name)
    terms = inherited_terms(trained.config)
    settings = with_options(read_settings(), detector=detector or (terms.detector if terms else None))
    if terms is None and licence is None:
        raise TrainingInvalid("--licence is missing: state the terms on which the network may be used")
    title = terms.made if terms else f"{trained.config.backbone.name}, {trained.config.loss.name}"
    metadata = PackMetadata(
        f"{title}; {len(trained.classes):,} people" if trained.classes else title,
        licence or (terms.licence if terms else ""),
        wiring.detector_name(settings),
        terms.commercial_use if terms else commercial_use,
    )
    with counting("photos") as advance:
        measure = wiring.calibrator(
            settings,
            calibrate,
            model=partial(model_name, name),
            preprocessing=PREPROCESSING,
            is_aligned=aligned,
            advance=advance,
        )
        write_pack(trained, out / name, metadata, calibrate=measure, threshold=threshold)
    show_written(out / name, calibrate)
    if compare is not None:
        show_run_comparison(run, compare, settings, is_aligned=aligned, is_best=best)


@cli.command()
def adapter(  # noqa: PLR0913 - the options of a command
    *,
    data: Data,
    out: Out,
    pack: Pack = "open",
    name: Name = None,
    detector: Detector = None,
    aligned: Aligned = False,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    calibrate: Calibrate = None,
    threshold: Threshold = None,
) -> None:
    """Train an adapter for a pack on your photos, and write both as one pack; its licence is the pack's."""
    require_training()
    from app.training.data.opening import open_path  # noqa: PLC0415 - as above
    from app.training.export.pack import PackMetadata, model_name, require_new_pack, write_network_pack  # noqa: PLC0415 - as above
    from app.training.finetune.adapter_training import AdapterSettings, train_adapter  # noqa: PLC0415 - as above
    from app.training.finetune.linear_adapter import append_adapter  # noqa: PLC0415 - as above
    from app.wiring import training as wiring  # noqa: PLC0415 - PyTorch takes seconds

    settings = with_options(read_settings(), pack=pack, detector=detector)
    base = wiring.open_base(settings)
    name = name or f"{pack}-adapted"
    require_new_pack(out / name)
    with counting("photos") as advance:
        source = open_path(data, cropper_opener(settings), is_aligned=aligned, advance=advance).source
        views = wiring.views_of(settings, base, source, advance)
        network = append_adapter(base.network, train_adapter(views, source.labels, AdapterSettings(seed=seed)))
        measure = wiring.calibrator(
            settings,
            calibrate,
            model=partial(model_name, name),
            preprocessing=base.preprocessing,
            is_aligned=aligned,
            advance=advance,
        )
        metadata = PackMetadata(
            f"{pack} with an adapter",
            base.manifest.licence,
            wiring.detector_name(settings),
            base.manifest.commercial_use,
            f"An adapter of {len(source.classes):,} people behind {base.model}. {base.manifest.notes}".strip(),
        )
        write_network_pack(
            network,
            out / name,
            metadata,
            preprocessing=base.preprocessing,
            calibrations=measure(network),
            threshold=threshold,
        )
    show_written(out / name, calibrate)


def show_written(folder: Path, calibrated_on: Path | None) -> None:
    """Print the folder of a new pack, the command that adds it, and whether it was calibrated."""
    console = Console()
    if calibrated_on is None:
        console.print("not calibrated: it decides by a fixed threshold; --calibrate PEOPLE measures error rates")
    console.print(f"written to {folder}; arcid models add {folder}", highlight=False, soft_wrap=True)
