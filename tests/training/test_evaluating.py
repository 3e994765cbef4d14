import pickle

import numpy as np
import pytest
import torch
from torch import nn

from app.errors import EvaluationInvalid, NoFace, TrainingInvalid
from app.evaluation.embeddings import PhotoEmbedder
from app.evaluation.values import EmbeddedFace
from app.evaluation.verification import verify as evaluate
from app.training.config import VerificationSet
from app.training.data.cropping import FaceCropper
from app.training.evaluating import embed, mean_accuracy, read_crop_pairs, verify, verify_all
from app.vision.imaging.lossless import decode_png, encode_png
from tests.training.people import crops_of, write_people


class Coarse(nn.Module):
    """A network that embeds crops by the means of 14x14 blocks, with a layer that acts differently in training."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        return self.dropout(nn.functional.avg_pool2d(images, 14).flatten(1)) * self.scale


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), people=6, photos=4)


@pytest.fixture
def csv(people, tmp_path):
    rows = [f"p{one:02d}/00.png,p{one:02d}/0{number}.png,1" for one in range(6) for number in (1, 2, 3)]
    rows += [f"p{one:02d}/00.png,p{(one + step) % 6:02d}/01.png,0" for one in range(6) for step in (1, 2, 3)]
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    return VerificationSet(name="made-up", csv=tmp_path / "pairs.csv", images=people, aligned=True)


def test_people_are_told_apart(csv):
    figures = verify_all(Coarse(), [read_crop_pairs(csv, None)])
    assert figures == {"made-up": {"accuracy": 1.0, "eer": 0.0, "tar@far=1e-3": 1.0}}
    assert mean_accuracy(figures) == 1


def test_figures_are_those_of_arcid_evaluate(csv, people, tmp_path):
    """With a weak network and a photo without a face."""
    nobody = encode_png(crops_of(5, 4)[3])

    def crop(data):
        if data == nobody:
            raise NoFace("nobody")
        noise = np.random.default_rng(len(data)).uniform(0, 230, (112, 112, 3))
        return (decode_png(data) * 0.1 + noise).astype(np.uint8)

    expected = read_crop_pairs(csv.model_copy(update={"aligned": False}), FaceCropper(crop, "setup", tmp_path))
    backbone = Coarse()
    raw = iter(embed(backbone, expected.crops))

    def enroll(data):
        crop(data)
        vector = next(raw)
        return EmbeddedFace(vector, float(np.linalg.norm(vector)), (0, 0, 1, 1), 0.5)

    evaluated = evaluate(expected.pairs, PhotoEmbedder(enroll, threads=1).embed(expected.pairs.photos), replicates=0)
    figures = verify(backbone, expected)
    assert figures["accuracy"] == evaluated.folds.mean < 1
    assert figures["eer"] == evaluated.estimates["eer"].value > 0
    assert figures["tar@far=1e-3"] == evaluated.estimates["tar@1e-3"].value
    assert len(expected.crops) == len(expected.pairs.photos) - 1


def test_embedding_is_flip_averaged_and_leaves_the_network_as_it_was():
    backbone, crops = Coarse(), np.stack(crops_of(3, 5))
    backbone.train()
    state = torch.get_rng_state()
    result = embed(backbone, crops)
    assert backbone.training
    assert torch.equal(torch.get_rng_state(), state)
    mirrored = crops[:, :, ::-1].copy()
    one, other = (embed(backbone, each, is_flip_averaged=False) for each in (crops, mirrored))
    np.testing.assert_allclose(result, (one + other) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(result, embed(backbone, mirrored), rtol=1e-5, atol=1e-6)


def test_a_bin_of_insightface(tmp_path):
    photos = [encode_png(crop) for person in range(4) for crop in crops_of(person, 2)]
    entries = [*photos, *[photos[place] for one in range(4) for place in (2 * one, (2 * one + 2) % 8)]]
    (tmp_path / "set.bin").write_bytes(pickle.dumps((entries, [True] * 4 + [False] * 4)))
    result = read_crop_pairs(VerificationSet(name="set", bin=tmp_path / "set.bin", aligned=True), None)
    assert verify(Coarse(), result)["accuracy"] == 1


def test_sets_that_are_none(csv, tmp_path):
    for wrong in (
        VerificationSet(name="x"),
        VerificationSet(name="x", csv=tmp_path / "a", bin=tmp_path / "b"),
        VerificationSet(name="x", pairs=tmp_path / "a"),
    ):
        with pytest.raises(TrainingInvalid, match="'x' needs"):
            read_crop_pairs(wrong, None)
    with pytest.raises(EvaluationInvalid):
        read_crop_pairs(VerificationSet(name="x", csv=tmp_path / "none.csv"), None)
    (tmp_path / "photo.png").write_bytes(b"nothing")
    (tmp_path / "bad.csv").write_text("photo.png,photo.png,1\n")
    with pytest.raises(TrainingInvalid, match=r"photo\.png"):
        read_crop_pairs(VerificationSet(name="x", csv=tmp_path / "bad.csv", aligned=True), None)
