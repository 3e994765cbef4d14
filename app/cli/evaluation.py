"""`arcid evaluate` with all of its commands."""

from app.cli import evaluate_groups, evaluate_ijb, evaluate_liveness, evaluate_overlap, evaluate_video
from app.cli.evaluate import cli

__all__ = ["cli", "evaluate_groups", "evaluate_ijb", "evaluate_liveness", "evaluate_overlap", "evaluate_video"]
