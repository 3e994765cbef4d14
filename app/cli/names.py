"""Names of collections and keys on the command line, checked by the API's rule."""

from app.errors import SettingsInvalid
from app.names import COLLECTION


def new_name(text: str) -> str:
    """Return the name of a new collection or API key; raises SettingsInvalid if it is malformed."""
    if not COLLECTION.fullmatch(text):
        raise SettingsInvalid(
            f"{text!r} cannot be a name: use 1 to 64 letters, digits, '_', '.' and '-', the first a letter or digit"
        )
    return text
