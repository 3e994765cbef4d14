"""A service with API keys for the tests of the page, and signing in on the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.cli.serve import prepare_database
from app.config import Settings
from app.wiring.storage import open_database


@contextmanager
def guarded_service(settings: Settings, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the address of a service with one key per scope, and the keys' secrets by scope."""
    changed = settings.model_copy(update={"data_dir": folder})
    prepare_database(changed)
    store = KeyStore(open_database(changed).engine)
    keys = {scope.value: store.create(NewKey(scope.value, [scope]))[1] for scope in Scope}
    with serving(changed, port=0) as address:
        yield address, keys


def sign_in(page, secret):
    """Enter a key in the sign-in view, and wait until the view is gone."""
    page.get_by_label("API key", exact=True).fill(secret)
    page.get_by_role("button", name="Sign in").click()
    page.locator(".sign-in").wait_for(state="detached")
