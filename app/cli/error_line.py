"""The line that the command line prints for an error."""

from app.errors import ArcidError


def error_line(error: ArcidError) -> str:
    """Return the message of an error, its reason if it has one, and its code in brackets."""
    text = f"{error} ({error.reason})" if error.reason else str(error)
    return f"{text} [{error.code}]"
