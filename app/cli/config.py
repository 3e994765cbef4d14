"""`arcid config`: the settings in force, and where each comes from."""

from typing import Annotated

import typer
from pydantic import SecretStr
from rich.table import Table

from app.cli.output import show
from app.config import Settings, origins, read_settings, values_of
from app.config.wording import CREDENTIALS

_DEFAULT = "default"


def config(
    *,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out settings that have their default.")] = False,
) -> None:
    """List all settings, their values and where each comes from; secrets are hidden."""
    settings, where = read_settings(), origins(Settings)
    table = Table("setting", "value", "from", box=None)
    for name, value in values_of(settings):
        origin = where.get(name, _DEFAULT)
        if not changed or origin != _DEFAULT:
            table.add_row(name, _shown(value), origin)
    show(table)


def _shown(value: object) -> str:
    """Return a value as text, without secrets, nor user and password of a URL."""
    if isinstance(value, SecretStr):
        return "(hidden)"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    return "" if value is None else CREDENTIALS.sub("(hidden)@", str(value))
