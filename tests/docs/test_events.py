"""The samples of docs/events.md accept a real signature, and no other."""

import json
import shutil
import subprocess
import time

import pytest

from app.notify.webhook import new_webhook_secret, signature
from tests.docs.examples import examples

SECRET, PREVIOUS = new_webhook_secret(), new_webhook_secret()
BODY = '{"type":"test","data":{"text":"Tür"}}'


def sample(language):
    (found,) = [each.text for each in examples("docs/events.md") if each.language == language]
    return found


def signed(secret, at=None):
    at = int(time.time() if at is None else at)
    both = f"{signature(PREVIOUS, 'e-1', at, BODY.encode())} {signature(secret, 'e-1', at, BODY.encode())}"
    return {"webhook-id": "e-1", "webhook-timestamp": str(at), "webhook-signature": both}


def cases():
    """Return headers and bodies, each with whether they come from ArcID."""
    return [
        (signed(SECRET), BODY, True),
        (signed(SECRET), f"{BODY} ", False),
        (signed(new_webhook_secret()), BODY, False),
        (signed(SECRET, at=time.time() - 600), BODY, False),
        (signed(SECRET) | {"webhook-id": "e-2"}, BODY, False),
        (signed(SECRET) | {"webhook-signature": "v1,"}, BODY, False),
    ]


def test_in_python():
    names: dict[str, object] = {}
    exec(sample("python"), names)  # noqa: S102 - a sample of the documentation
    check = names["is_from_arcid"]
    assert callable(check)
    for headers, body, expected in cases():
        assert check(SECRET, headers, body.encode()) == expected


def test_in_node(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("not installed: node")
    (tmp_path / "sample.mjs").write_text(sample("js"), "utf-8")
    (tmp_path / "run.mjs").write_text(
        'import { isFromArcid } from "./sample.mjs";\n'
        'import { readFileSync } from "node:fs";\n'
        "const [secret, cases] = JSON.parse(readFileSync(0));\n"
        "const found = cases.map(([headers, body]) => isFromArcid(secret, headers, Buffer.from(body)));\n"
        "console.log(JSON.stringify(found));\n",
        "utf-8",
    )
    given = json.dumps([SECRET, [(headers, body) for headers, body, _ in cases()]])
    run = ["node", str(tmp_path / "run.mjs")]
    done = subprocess.run(run, input=given, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [expected for *_, expected in cases()]
