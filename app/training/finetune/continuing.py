"""A run that starts from the weights of another one."""

import io
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from app.errors import TrainingInvalid
from app.training.checkpoint import LAST, load_trained
from app.training.config import StartWeights
from app.training.export.terms import inherited_terms
from app.training.run_folder import storage_errors

FILE = "weights.pt"


def start_from_run(run: Path, out: Path) -> dict[str, Any]:
    """Copy the weights of a run into the folder `out`; return the sections of the configuration that use them.

    The averaged weights are copied if the run has them. Raises TrainingInvalid if the folder is not that of a run,
    and StorageNotWritable.
    """
    trained = load_trained(run, LAST)
    config = trained.config
    if config.teacher is not None and config.start is not None:
        raise TrainingInvalid(
            f"{run} is a student that started from a pack; export it as a pack and start from that one"
        )
    buffer = io.BytesIO()
    torch.save(trained.backbone.state_dict(), buffer)
    with storage_errors(out / FILE):
        out.mkdir(parents=True, exist_ok=True)
        (out / FILE).write_bytes(buffer.getvalue())
    terms = inherited_terms(config)
    weights = StartWeights(
        file=(out / FILE).resolve(),
        sha256=sha256(buffer.getvalue()).hexdigest(),
        run=run.resolve().name,
        licence=terms.licence if terms else None,
        commercial_use=terms.commercial_use if terms else "unverified",
        detector=terms.detector if terms else None,
    )
    sections = config.model_dump(include={"backbone", "start"}, exclude_none=True)
    return {**sections, "weights": weights.model_dump(exclude_none=True)}
