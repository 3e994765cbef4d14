"""Rows of tables 2 to 8 of the first version of the ArcFace paper, for `benchmarks/paper_tables.py`.

Deng, Guo, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", arXiv 1801.07698v1, 2018. The
names of networks are those of the paper: L is the stem of 3x3, A to E the output, IR the improved residual unit.

The tables of that version were not available. The published figures are those of the same comparisons in the README of
github.com/deepinsight/insightface, by the authors, and in the third version of the paper. Other rows have no figure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Keys = Mapping[str, str | float | bool]
"""Values of a run's configuration by dotted name."""

SOURCES = {
    "a": "README of 2017-12-21 (commit b67bed1): softmax on VGGFace2",
    "b": "README of 2018-03-26 (commit fd9ead3): LResNet100E-IR on MS1M",
    "c": "the same README: pretrained models",
    "d": "third version of the paper (2019), table 2: ResNet-50 on CASIA-WebFace",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A published accuracy on LFW in per cent, and the key of its source in SOURCES."""

    lfw: float
    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: a configuration, and its published figure.

    Args:
        name: Name in the table.
        keys: Values that differ from the run that all rows share.
        published: Figure of the authors, or None if it is not known for certain.
        start: Name of the row of the same table whose network this one refines.
    """

    name: str
    keys: Keys = field(default_factory=dict)
    published: Figure | None = None
    start: str | None = None


@dataclass(frozen=True, slots=True)
class PaperTable:
    """A table: the first row is the one that others are compared with."""

    number: int
    title: str
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        """Return the row of a name; raises KeyError."""
        return {each.name: each for each in self.rows}[name]


_SOFTMAX: Keys = {"loss.name": "softmax"}
_SCALE = 64.0  # `--scale` replaces it
_ARCFACE: Keys = {"loss.name": "arcface", "loss.scale": _SCALE}


def _network(output: str, *, has_se: bool = True, stem: str = "3x3", unit: str = "ir") -> Keys:
    return {
        **_SOFTMAX,
        "backbone.output": output,
        "backbone.has_se": has_se,
        "backbone.stem": stem,
        "backbone.unit": unit,
    }


def _combined(m1: float, m2: float, m3: float) -> Keys:
    return {"loss.name": "combined", "loss.scale": _SCALE, "loss.m1": m1, "loss.m2": m2, "loss.m3": m3}


def _timm(name: str) -> Keys:
    return {**_ARCFACE, "backbone.name": f"timm:{name}", "backbone.width": 1.0}


_INPUT = (
    Row("SE-ResNet50D", _network("D", stem="7x7", unit="plain"), Figure(99.38, "a")),
    Row("SE-LResNet50D", _network("D", unit="plain"), Figure(99.60, "a")),
    Row("SE-ResNet50E", _network("E", stem="7x7", unit="plain"), Figure(99.27, "a")),
    Row("SE-LResNet50E", _network("E", unit="plain"), Figure(99.65, "a")),
)
_OUTPUT = (
    Row("SE-LResNet50A-IR", _network("A"), Figure(99.58, "a")),
    Row("SE-LResNet50B-IR", _network("B")),
    Row("SE-LResNet50C-IR", _network("C")),
    Row("SE-LResNet50D-IR", _network("D"), Figure(99.62, "a")),
    Row("SE-LResNet50E-IR", _network("E"), Figure(99.77, "a")),
)
_BLOCK = (
    Row("SE-LResNet50D", _network("D", unit="plain"), Figure(99.60, "a")),
    Row("SE-LResNet50D-IR", _network("D"), Figure(99.62, "a")),
    Row("SE-LResNet50E", _network("E", unit="plain"), Figure(99.65, "a")),
    Row("SE-LResNet50E-IR", _network("E"), Figure(99.77, "a")),
    Row("LResNet50E-IR", _network("E", has_se=False), Figure(99.75, "a")),
)
_DECAY = tuple(
    Row(name, {**_network("E"), "optimiser.weight_decay": float(name)}, Figure(lfw, "a"))
    for name, lfw in (("5e-4", 99.78), ("5e-6", 99.12), ("5e-5", 99.57), ("1e-3", 99.72))
)
_MARGIN = tuple(
    Row(f"m = {m}", {**_ARCFACE, "loss.margin": m}, Figure(99.53, "d") if m in {0.4, 0.5} else None)
    for m in (0.5, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8)
)
_LOSS = (
    Row("softmax", _SOFTMAX, Figure(99.08, "d")),
    Row("NormFace", {"loss.name": "normface", "loss.scale": _SCALE}, Figure(98.56, "d")),
    Row("SphereFace (m = 4, annealed)", {"loss.name": "sphereface"}),
    Row("SphereFace (m = 1.35, not annealed)", _combined(1.35, 0.0, 0.0), Figure(99.11, "d")),
    Row("CosFace (m = 0.35)", {"loss.name": "cosface", "loss.scale": _SCALE}, Figure(99.51, "d")),
    Row("ArcFace (m = 0.5)", {**_ARCFACE, "loss.margin": 0.5}, Figure(99.53, "d")),
    Row("combined (1, 0.3, 0.2)", _combined(1.0, 0.3, 0.2), Figure(99.48, "d")),
    Row(
        "triplet, refining softmax",
        {
            "loss.name": "triplet",
            "data.photos_per_person": 2,
            "schedule.learning_rate": 0.005,
            "schedule.warm_up": 0.0,
        },
        Figure(98.98, "d"),
        start="softmax",
    ),
)
_BACKBONE = (
    Row("LResNet50E-IR", {**_ARCFACE, "backbone.name": "iresnet50"}, Figure(99.80, "c")),
    Row("LResNet18E-IR", {**_ARCFACE, "backbone.name": "iresnet18"}),
    Row("LResNet34E-IR", {**_ARCFACE, "backbone.name": "iresnet34"}, Figure(99.65, "c")),
    Row("LResNet100E-IR", {**_ARCFACE, "backbone.name": "iresnet100"}, Figure(99.83, "b")),
    Row("SE-LResNet50E-IR", {**_ARCFACE, "backbone.name": "iresnet50", "backbone.has_se": True}, Figure(99.77, "a")),
    Row("MobileFaceNet", {**_ARCFACE, "backbone.name": "mobilefacenet"}),
    Row("Sphere20", {**_ARCFACE, "backbone.name": "sphere20"}),
    Row("MobileNetE", _timm("mobilenetv1_100")),
    Row("DenseNet121E", _timm("densenet121")),
    Row("Inception-ResNet-v2E", _timm("inception_resnet_v2")),
    Row("DPN68E", _timm("dpn68")),
)

TABLES = {
    table.number: table
    for table in (
        PaperTable(2, "Input: stem of 7x7 with stride 2, or of 3x3 (L)", _INPUT),
        PaperTable(3, "Output layers, options A to E", _OUTPUT),
        PaperTable(4, "Residual unit: plain, or improved (IR)", _BLOCK),
        PaperTable(5, "Weight decay of SE-LResNet50E-IR", _DECAY),
        PaperTable(6, "Margin of ArcFace", _MARGIN),
        PaperTable(7, "Loss", _LOSS),
        PaperTable(8, "Backbone", _BACKBONE),
    )
}
