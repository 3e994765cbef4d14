"""Face quality: measurements, components 0..100, and a score 0..1 with reasons."""

from app.vision.quality.components import HINTS, Component, Components, worst_of
from app.vision.quality.judgement import Quality, Reason, judge
from app.vision.quality.measures import Measures, measure
from app.vision.quality.signs import SignNetworks

__all__ = [
    "HINTS",
    "Component",
    "Components",
    "Measures",
    "Quality",
    "Reason",
    "SignNetworks",
    "judge",
    "measure",
    "worst_of",
]
