"""Comparison of a run's network with its teacher or its start, by the settings."""

from pathlib import Path

from app.config import Settings
from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.training.data.folder import read_folder
from app.training.export.comparing import ComparedNetwork, NetworkComparison, compare_networks
from app.wiring.networks import open_runtime
from app.wiring.training import open_cropper


def compare_run(
    settings: Settings,
    run: Path,
    people: Path,
    *,
    is_aligned: bool = False,
    file: str | None = None,
    advance: Advance = lambda _: None,
) -> NetworkComparison:
    """Compare a run's network with its teacher, or else its start, on a folder of other people.

    `file` is the last checkpoint by default.

    Raises TrainingInvalid for a run without either, or a folder without people.
    """
    from app.training.checkpoint import LAST, load_trained  # noqa: PLC0415 - needs PyTorch
    from app.training.export.network import as_onnx  # noqa: PLC0415 - as above
    from app.training.export.run_pack import PREPROCESSING  # noqa: PLC0415 - as above
    from app.training.finetune.pretrained import preprocessing_of, read_network  # noqa: PLC0415 - as above

    trained = load_trained(run, file or LAST)
    old = trained.config.teacher or trained.config.start
    if old is None:
        raise TrainingInvalid(f"{run} has neither a teacher nor a pack from which it started; nothing to compare with")
    runtime = open_runtime(settings)
    before, after = read_network(old), as_onnx(trained.backbone)
    photos = read_folder(people, None if is_aligned else open_cropper(settings), advance)
    return compare_networks(
        ComparedNetwork.opened(old.pack, before, preprocessing_of(old), runtime),
        ComparedNetwork.opened(run.resolve().name, after, PREPROCESSING, runtime),
        photos,
        advance,
    )
