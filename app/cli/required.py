"""Commands that name all missing options and arguments at once."""

from typing import Any

import typer
from typer.core import TyperCommand


class RequiringCommand(TyperCommand):
    """A command that names everything that is missing in one error, not only the first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line; exit with status 2 if they are wrong."""
        if not ctx.resilient_parsing:  # as in completion
            missing = self._missing(ctx, args)
            if len(missing) > 1:
                ctx.fail(f"Missing {', '.join(missing)}.")
        return super().parse_args(ctx, args)

    def _missing(self, ctx: Any, args: list[str]) -> list[str]:
        """Return the required parameters without a value; none if an option such as --help comes before them."""
        values, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        parameters: list[Any] = self.get_params(ctx)
        if any(each.is_eager and values.get(each.name) for each in parameters):
            return []
        return [
            f"{each.param_type_name} {each.get_error_hint()}"
            for each in parameters
            if each.required and each.value_is_missing(each.consume_value(ctx, values)[0])
        ]


def require_all(commands: typer.Typer) -> None:
    """Make the commands of a group `RequiringCommand`s."""
    for each in commands.registered_commands:
        each.cls = RequiringCommand
