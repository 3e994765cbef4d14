"""axe-core, a checker of accessibility: installed with npm, pinned by version and hash, cached in .data."""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

from app.config import PROJECT

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
_JUDGE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
}"""
KEPT = PROJECT / ".data" / "axe" / VERSION / "axe.min.js"


def axe_source() -> str:
    """Return the script; raises OSError or SubprocessError if npm cannot install it, ValueError if the file differs."""
    if not KEPT.exists():
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--silent", "--ignore-scripts", f"axe-core@{VERSION}"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
            (packed,) = Path(folder).glob("*.tgz")
            if base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() != SHA512:
                raise ValueError(f"axe-core {VERSION} is not the file that it was")
            with tarfile.open(packed) as archive:
                script = archive.extractfile("package/axe.min.js")
                assert script is not None
                KEPT.parent.mkdir(parents=True, exist_ok=True)
                KEPT.write_bytes(script.read())
    return KEPT.read_text("utf-8")


def judge(page, script):
    """Return the violations of a page, with their elements; `script` is axe-core."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(script)
    return page.evaluate(_JUDGE)
