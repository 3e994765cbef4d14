"""Packs as teachers and starts of training runs, by the settings."""

import hashlib
from pathlib import Path

from app.config import Settings
from app.evaluation.values import Advance
from app.training.config import PackNetwork, TeacherNetwork
from app.training.data.source import CropSource
from app.training.distillation.teaching import Teacher
from app.training.export.pack import dimension_of
from app.training.run_folder import storage_errors
from app.types import Floats
from app.vision.embedding import Embedder
from app.vision.inference.session import Session
from app.wiring.networks import open_runtime
from app.wiring.training import detector_name, open_base


def copy_network(settings: Settings, file: Path) -> PackNetwork:
    """Copy the embedding network of ARCID_PACK to a file of a run; return it with the pack's terms.

    Raises NetworkError's children if the network cannot be read, SettingsInvalid if the pack has no embedder, and
    StorageNotWritable if the file cannot be written.
    """
    base = open_base(settings)
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base.network)
    return PackNetwork(
        network=file.resolve(),
        sha256=hashlib.sha256(base.network).hexdigest(),
        pack=base.manifest.name,
        licence=base.manifest.licence,
        commercial_use=base.manifest.commercial_use,
        detector=detector_name(settings),
        mean=base.preprocessing.mean,
        scale=base.preprocessing.scale,
        bgr=base.preprocessing.is_bgr,
    )


def copy_teacher(settings: Settings, file: Path) -> TeacherNetwork:
    """Copy the network of ARCID_PACK as the teacher of a run; raises as `copy_network`, and TrainingInvalid."""
    copied = copy_network(settings, file)
    dimension = dimension_of(copied.network.read_bytes())
    return TeacherNetwork(**copied.model_dump(), dimension=dimension)


def teach(settings: Settings, teacher: TeacherNetwork, source: CropSource, advance: Advance) -> Floats:
    """Return the teacher's unit embeddings (n, d) of all crops; they are cached in the data folder.

    Raises TrainingInvalid if the teacher's file has changed.
    """
    from app.training.finetune.pretrained import preprocessing_of, read_network  # noqa: PLC0415 - needs PyTorch

    network = read_network(teacher)
    preprocessing = preprocessing_of(teacher)
    embedder = Embedder(Session(network, open_runtime(settings)), preprocessing)
    key = hashlib.sha256(f"{teacher.sha256} {preprocessing}".encode()).hexdigest()[:32]
    cached = Teacher(
        lambda crops: embedder.embed(crops, is_flip_averaged=True).vectors,
        teacher.dimension,
        settings.data_dir / "training" / "teachers" / key,
    )
    return cached.embed(source, advance)
