"""The whole OpenAPI document against a real server: every operation, all of schemathesis' checks.

Always the same cases, and more of them in `make test-full`; SCHEMATHESIS="--max-examples 300" makes a longer run of
random ones.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.config import PROJECT, RateSettings
from app.container import Container
from tests.end_to_end.schemathesis_hooks import FACE

HERE = Path(__file__).parent
EXAMPLES = 32 if os.environ.get("FULL") else 8  # of each operation, at most
LEAST_CASES = 2000
ALWAYS_THE_SAME = ["--max-examples", str(EXAMPLES), "--generation-deterministic"]
PEOPLE = ["ada", "bob", "0", "a b", "é", "carl/xii", "erin", "frank"]


def seeded(client) -> dict[str, list[str]]:
    """Enroll people with two faces each, and return the ids for the cases."""
    faces = []
    for identity_id in PEOPLE:
        answer = client.post("/enroll", files=[("photos", FACE)] * 2, data={"identity_id": identity_id})
        faces += [each["face_id"] for each in answer.json()["faces"]]
    face = client.get(f"/collections/default/faces/{faces[0]}?embedding=true").json()
    return {"identity_id": PEOPLE, "face_id": faces, "embedding": face["embedding"]}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_document_is_true(settings):
    jobs = settings.jobs.model_copy(update={"upload_bytes": 1_000_000, "uploads_bytes": 10**12, "uploads": 10_000})
    rates = RateSettings(failures="none")  # it tries many wrong keys
    settings = settings.model_copy(update={"rates": rates, "jobs": jobs})
    _, secret = Container(settings).keys.create(NewKey("fuzz", [Scope.ADMIN]))
    key = {"Authorization": f"Bearer {secret}"}
    with serving(settings, port=0) as address:
        with httpx2.Client(base_url=address, headers=key) as client:
            known = json.dumps(seeded(client))
        hooks = f"{__package__}.{HERE.joinpath('schemathesis_hooks').name}"
        done = subprocess.run(
            [
                *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
                *("--config-file", str(HERE / "schemathesis.toml"), "run", f"{address}/openapi.json"),
                *("--header", f"Authorization: Bearer {secret}", "--checks", "all", "--no-color"),
                # Tested in tests/api: as in CompreFace, /faces/delete is a path and, for DELETE, the face "delete".
                *("--exclude-checks", "allow_header_conformance"),
                *("--continue-on-failure", "--no-shrink", "--output-truncate", "false"),
                *(os.environ.get("SCHEMATHESIS", "").split() or ALWAYS_THE_SAME),
            ],
            cwd=settings.data_dir,  # folder for its notes
            env={**os.environ, "SCHEMATHESIS_HOOKS": hooks, "SEEDED": known, "PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=False,
        )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated
    assert int(generated[1]) >= LEAST_CASES
