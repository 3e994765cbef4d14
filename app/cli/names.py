"""Names that the command line gives: the rule is the API's."""

from app.errors import SettingsInvalid
from app.names import COLLECTION


def new_name(text: str) -> str:
    """Return the name of a new collection or API key; raises SettingsInvalid if it cannot be one."""
    if not COLLECTION.fullmatch(text):
        raise SettingsInvalid(
            f"{text!r} cannot be a name: use 1 to 64 letters, digits, '_', '.' and '-', the first a letter or digit"
        )
    return text
