"""`arcid calibrate` with all of its commands."""

from app.cli import calibrate_liveness
from app.cli.calibrate import cli

__all__ = ["calibrate_liveness", "cli"]
