"""Backups of the database."""

from os import PathLike
from pathlib import Path

from arcid.administration import Backups
from arcid.calls import Call, Reply, path, value_reader


def get_all() -> Call[Backups]:
    """List the backups, newest first."""
    return Call("GET", "/backups", value_reader(Backups), is_repeatable=True)


def download(name: str, to: str | PathLike[str]) -> Call[Path]:
    """Download a backup to a file, atomically; return its path. `arcid restore` restores it."""
    target = Path(to)
    return Call("GET", _path(name), lambda _: target, is_repeatable=True, save_to=target)


def delete(name: str) -> Call[None]:
    """Delete a backup."""
    return Call("DELETE", _path(name), _nothing)


def _path(name: str) -> str:
    return path("/backups/{name}", name=name)


def _nothing(_: Reply) -> None:
    return None
