import pytest

from app.errors import TrainingInvalid
from app.training.config import TrainingConfig, parse_config
from app.training.config_errors import keys_of

AUGMENTATION = ", ".join(f"data.augmentation.{name}" for name in ("flip", "colour", "affine", "blur", "erase"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schedule": {"epoch": 1}}, "unknown key schedule.epoch; did you mean schedule.epochs?"),
        ({"epochs": 3}, "unknown key epochs; did you mean schedule.epochs?"),
        ({"schedul": {"epochs": 1}}, "unknown key schedul.epochs; did you mean schedule.epochs?"),
        ({"sched": {"epoch": 1}}, "unknown key sched.epoch; did you mean schedule.epochs?"),
        ({"bakbone": {"name": "x"}}, "unknown key bakbone.name; did you mean backbone.name?"),
        ({"optimizer": {"xyz": 1}}, "unknown key optimizer.xyz; did you mean optimiser?"),
        ({"schedul": {}}, "unknown key schedul; did you mean schedule?"),
        ({"schedul": 3}, "unknown key schedul; did you mean schedule?"),
        ({"recipe": "arcface_v1"}, "unknown recipe 'arcface_v1'; did you mean arcface-v1 or arcface-torch?"),
        ({"loss": {"name": "ArcFase"}}, "unknown loss 'ArcFase'; did you mean arcface?"),
        ({"backbone": {"name": "resnet50"}}, "unknown backbone 'resnet50'; did you mean iresnet50 or iresnet100?"),
        ({"data": {"batch_size": 3}}, "unknown key data.batch_size; did you mean schedule.batch_size?"),
        ({"loss": {"margim": 1}}, "unknown key loss.margim; did you mean loss.margin?"),
        ({"backbone": {"widht": 1}}, "unknown key backbone.widht; did you mean backbone.width?"),
        (
            {"evaluation": {"sets": [{"name": "x", "imagse": "y"}]}},
            "unknown key evaluation.sets.0.imagse; did you mean evaluation.sets.images?",
        ),
        ({"data": {"augmentation": {"x": 1}}}, f"unknown key data.augmentation.x; known are {AUGMENTATION}"),
        ({"lr": 1}, "unknown key lr; did you mean schedule.learning_rate?"),
        ({"schedule": {"lr": 1}}, "unknown key schedule.lr; did you mean schedule.learning_rate?"),
        ({"xyzzy": 1}, "unknown key xyzzy; docs/training.md lists all keys"),
        (
            {"schedule": {"batch_size": 8}, "data": {"photos_per_person": 3}},
            "schedule.batch_size = 8 is not a multiple of data.photos_per_person = 3",
        ),
        ({"loss": "arcface"}, "loss is a group of keys; set one of them, such as loss.name"),
        (
            {"machine": {"device": "gpu"}},
            "machine.device: 'gpu' is not valid; cpu, cuda or cuda:N; another device is never used instead",
        ),
        ({"schedule": {"learning_rate": 0}}, "schedule.learning_rate: input should be greater than 0, not 0"),
        ({"data": {"path": None}}, "data.path: input is not a valid path for <class 'pathlib.Path'>, not None"),
    ],
)
def test_a_wrong_key_or_value_is_a_sentence(values, message):
    with pytest.raises(TrainingInvalid) as raised:
        parse_config({**values, "data": {"path": "/photos", **values.get("data", {})}})
    assert str(raised.value) == message


def test_the_data_are_missing():
    with pytest.raises(TrainingInvalid, match=r"^data\.path is missing$"):
        parse_config({})


def test_a_group_without_its_name_has_the_usual_one():
    config = parse_config({"data": {"path": "/photos"}, "loss": {"margin": 0.3}, "backbone": {"width": 0.5}})
    assert (config.loss.name, config.backbone.name) == ("arcface", "iresnet18")


def test_keys_are_dotted():
    keys = list(keys_of(TrainingConfig))
    assert {"seed", "data.augmentation.flip", "loss.m1", "evaluation.sets.images", "start.rate"} <= set(keys)
    assert len(keys) == len(set(keys))
