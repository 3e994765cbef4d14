"""Loading of a pack's network as the initial backbone of a run."""

from hashlib import sha256

from torch import nn

from app.errors import TrainingInvalid
from app.training.config import PretrainedStart
from app.training.export.pack import dimension_of
from app.training.finetune.imported import ImportedNetwork, Repreprocessed
from app.vision.embedding import Preprocessing


def load_pretrained(start: PretrainedStart) -> tuple[nn.Module, int]:
    """Return the backbone and its embedding dimension; raises TrainingInvalid."""
    try:
        network = start.network.read_bytes()
    except OSError as error:
        raise TrainingInvalid.unreadable(start.network, error) from error
    if sha256(network).hexdigest() != start.sha256:
        raise TrainingInvalid(f"{start.network} has changed since the run was started")
    imported = ImportedNetwork(network)
    if start.frozen:
        imported.freeze_all_but_the_last()
    return Repreprocessed(imported, Preprocessing(start.mean, start.scale, is_bgr=start.bgr)), dimension_of(network)
