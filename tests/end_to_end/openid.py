"""A running OpenID provider of another project: panva's certified `oidc-provider`, on Node.js."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.access.keys import Scope
from app.config.oidc import GrantSettings, OidcSettings
from tests.end_to_end.packages import node_modules

SOURCE = Path(__file__).parent / "openid_provider"
GRANTS = {
    "arcid-admins": GrantSettings(scopes=(Scope.ADMIN,)),
    "door": GrantSettings(scopes=(Scope.RECOGNISE,), collections=("staff",)),
}


@contextmanager
def provided(redirect_uri: str, tmp_path: Path) -> Iterator[str]:
    """Yield the issuer of a running provider."""
    packages = node_modules(SOURCE, "openid-provider")
    (tmp_path / "node_modules").symlink_to(packages)
    for each in ("provider.js", "package.json"):
        shutil.copy(SOURCE / each, tmp_path)
    command = ["node", "provider.js", redirect_uri]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            assert running.stdout is not None
            yield next(line.strip() for line in running.stdout if line.startswith("http"))
        finally:
            running.kill()


def oidc(issuer: str, **changes: object) -> OidcSettings:
    """Return the settings of sign-in with a provider."""
    values = {"client_secret": "a secret / with : signs", "scopes": "openid profile groups", "grants": GRANTS}
    return OidcSettings.model_validate({"issuer": issuer} | values | changes)
