"""`arcid keys`: create, list and revoke API keys."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from app.access.keys import ApiKey, NewKey, Scope
from app.access.rates import Rate
from app.cli import encryption
from app.cli.first_key import first
from app.cli.names import new_name
from app.cli.output import Console, show
from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.errors import SettingsInvalid

cli = typer.Typer(help="API keys: once one exists, every request needs one.", no_args_is_help=True)
cli.command()(first)


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(Scope)}") from error


@cli.command()
def create(
    name: Annotated[str, typer.Argument(help="Purpose of the key; shown in lists and in the audit trail.")],
    scope: Annotated[
        list[Scope],
        typer.Option(
            parser=_scope,
            metavar="SCOPE",
            help=f"Permission, repeatable: {', '.join(Scope)}.",
        ),
    ],
    collection: Annotated[
        list[str] | None, typer.Option(help="Restrict the key to this collection; repeatable.")
    ] = None,
    expires: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until the key expires.")] = None,
    rate: Annotated[str | None, typer.Option(help="Rate limit, such as 100/minute, or none.")] = None,
    quota: Annotated[str | None, typer.Option(help="Quota over a longer time, such as 100000/day.")] = None,
) -> None:
    """Create a key and print it once; only its hash is stored. A running service accepts it within a second."""
    for each in (name, *(collection or ())):
        new_name(each)
    limits = _rate("--rate", rate), _rate("--quota", quota)
    settings = read_settings()
    prepare_database(settings)
    expires_at = datetime.now(UTC) + timedelta(days=expires) if expires else None
    with Container(settings) as container:
        key, secret = container.keys.create(NewKey(name, scope, collection or None, expires_at, *limits))
        missing = {*(collection or ())} - {each.name for each in container.store.collections()}
    # The key alone on standard output, for KEY=$(arcid keys create ...).
    note = f"{key.name} ({key.key_id}): {_scopes(key)}; it is shown only now, and every request needs a key now"
    Console(stderr=True).print(note, highlight=False, soft_wrap=True)
    for each in sorted(missing):
        warning = f"warning: there is no collection {each!r}; the key can use it once it is created"
        Console(stderr=True).print(warning, highlight=False, soft_wrap=True)
    typer.echo(secret)


@cli.command("list")
def list_keys() -> None:
    """List all keys, also revoked ones, without their secrets."""
    now = datetime.now(UTC)
    table = Table("id", "name", "scopes", "collections", "rate", "quota", "created", "ends", "state", box=None)
    with Container(read_settings()) as container:
        keys = container.keys.all()
    for each in keys:
        table.add_row(
            each.key_id,
            each.name,
            _scopes(each),
            "all" if each.collections is None else ", ".join(sorted(each.collections)),
            "as set" if each.rate is None else str(each.rate),
            "as set" if each.quota is None else str(each.quota),
            _day(each.created_at),
            _day(each.expires_at),
            each.state(now),
        )
    show(table)


@cli.command()
def revoke(key: Annotated[str, typer.Argument(help="Name or id of the key.")]) -> None:
    """Revoke a key for good; a running service refuses it within a second."""
    with Container(read_settings()) as container:
        revoked = container.keys.revoke(key)
    Console().print(f"{revoked.name} ({revoked.key_id}): revoked", highlight=False)


def _rate(option: str, text: str | None) -> Rate | None:
    try:
        return None if text is None else Rate.parse(text)
    except ValueError as error:
        raise SettingsInvalid(f"{option}: {error}") from error


cli.command("new-master")(encryption.new_master)
cli.command("rotate-data")(encryption.rotate_data)
cli.command("rotate-master")(encryption.rotate_master)


def _scopes(key: ApiKey) -> str:
    return ", ".join(scope.value for scope in Scope if scope in key.scopes)


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d}"
