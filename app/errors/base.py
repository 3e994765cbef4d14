"""Base class of the errors, which derives their codes."""

import os
import re
from typing import ClassVar, Self

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class ArcidError(Exception):
    """Error that the caller or the operator can act on; its message is safe to show to a client.

    `code` is the class name in snake case, or the parent's code for a class with `has_own_code=False`.
    `message` is the text if none is given. `reason` is the underlying library's message: for the log, never for a
    client.
    """

    code: ClassVar[str] = "internal_error"
    message: ClassVar[str] = ""

    def __init_subclass__(cls, *, has_own_code: bool = True) -> None:
        super().__init_subclass__()
        if has_own_code:
            cls.code = _WORD.sub("_", cls.__name__).lower()

    def __init__(self, message: str = "", reason: str = "") -> None:
        super().__init__(message or self.message)
        self.reason = reason

    @classmethod
    def unreadable(cls, path: str | os.PathLike[str], error: OSError) -> Self:
        """Return the error for a file that the operating system cannot read."""
        return cls(f"{path} cannot be read: {error.strerror}")
