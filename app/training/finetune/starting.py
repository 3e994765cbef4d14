"""The network of a pack as the backbone that a run begins with."""

from hashlib import sha256

from torch import nn

from app.embedding import Preprocessing
from app.errors import TrainingInvalid
from app.training.config import Start
from app.training.export.pack import dimension_of
from app.training.finetune.imported import Imported, Reconciled


def started(start: Start) -> tuple[nn.Module, int]:
    """Return the backbone and the length of its features; raises TrainingInvalid."""
    try:
        network = start.network.read_bytes()
    except OSError as error:
        raise TrainingInvalid(f"{start.network} cannot be read: {error.strerror}") from error
    if sha256(network).hexdigest() != start.sha256:
        raise TrainingInvalid(f"{start.network} is not the file that the run began with")
    imported = Imported(network)
    if start.frozen:
        imported.freeze_all_but_the_last()
    return Reconciled(imported, Preprocessing(start.mean, start.scale, is_bgr=start.bgr)), dimension_of(network)
