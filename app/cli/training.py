"""`arcid train` with all of its commands."""

from app.cli import distill, train_commands, train_finetune
from app.cli.train import cli

__all__ = ["cli", "distill", "train_commands", "train_finetune"]
