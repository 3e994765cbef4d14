"""A group of commands whose modules are imported when they run, so that help and completion answer at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from app.cli.required import RequiringCommand, require_all


class LazyCommand(TyperCommand):
    """A command or group of commands, known by name and help until `load` imports it."""

    def __init__(self, name: str, target: str, *, about: str, panel: str) -> None:
        """Args: target: "module:attribute", a function or a Typer; about: the first line of its help."""
        super().__init__(name, help=about, rich_help_panel=panel)
        self._target = target

    def load(self) -> Any:
        """Import the module and return the command itself."""
        module, _, attribute = self._target.partition(":")
        with _without_collection():
            target = getattr(import_module(module), attribute)
        if isinstance(target, typer.Typer):
            require_all(target)
            command: Any = get_group(target)
        else:
            alone = typer.Typer(add_completion=False)
            alone.command(cls=RequiringCommand)(target)
            command = get_command(alone)
        command.name = self.name
        return command


@contextmanager
def _without_collection() -> Iterator[None]:
    """Import without garbage collection: modules stay, and each full collection would visit all of them again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class LazyGroup(TyperGroup):
    """A group of `LazyCommand`s. A function given as the context's `obj` is called before the first import."""

    lazy: ClassVar[dict[str, LazyCommand]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {**self.lazy, **self.commands}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name of the command to run, the loaded command, and its arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, LazyCommand):
            if ctx.obj is not None:
                ctx.obj()
            command = command.load()
        return name, command, rest
