"""DNS rebinding: names that change between check and connection, with a real name server in a network namespace."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import PROJECT
from tests.remote.rebinding import CLOUD, INSIDE, LITERALS, PUBLIC, PUBLIC_6, SELF

NAMESPACE = f"arcid-rebinding-{os.getpid()}"


def ip(*arguments):
    return subprocess.run([shutil.which("ip") or "ip", *arguments], check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def fetched():
    """Return the outcome of each URL and the addresses that the fetcher connected to."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("needs root and the command ip (Debian: iproute2)")
    if (added := ip("netns", "add", NAMESPACE)).returncode:
        pytest.skip(f"no network namespace can be made here: {added.stderr.strip()}")
    configuration = Path("/etc/netns") / NAMESPACE
    try:
        configuration.mkdir(parents=True)
        (configuration / "resolv.conf").write_text(f"nameserver {SELF}\noptions timeout:1 attempts:1\n")
        for address in (PUBLIC, CLOUD, INSIDE):
            ip("-n", NAMESPACE, "address", "add", f"{address}/32", "dev", "lo")
        for address in (PUBLIC_6, "fd00::7"):
            ip("-n", NAMESPACE, "address", "add", f"{address}/128", "dev", "lo")
        ip("-n", NAMESPACE, "link", "set", "lo", "up")
        command = ["ip", "netns", "exec", NAMESPACE, sys.executable, "-m", "tests.remote.rebinding"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=PROJECT)
        assert done.returncode == 0, done.stderr[-2000:]
    finally:
        ip("netns", "delete", NAMESPACE)
        shutil.rmtree(configuration, ignore_errors=True)
    return json.loads(done.stdout)


def of(fetched, host, path="/photo"):
    """Return the outcome and connections of each fetch of a URL."""
    return [(outcome, connected) for url, outcome, connected in fetched if url == f"http://{host}{path}"]


def test_nothing_private_is_connected_to(fetched):
    assert {each for _, _, connected in fetched for each in connected} == {PUBLIC, PUBLIC_6}


def test_a_name_that_changes_is_looked_up_once_for_a_fetch(fetched):
    assert of(fetched, "flip.example") == [("photo", [PUBLIC]), ("url_unreachable", [])]
    ((outcome, connected),) = of(fetched, "public.example", "/flip")
    assert (outcome, connected) == ("url_unreachable", [PUBLIC])  # `flip-again` was public when it was fetched before


@pytest.mark.parametrize(
    "name",
    [
        *("mixed", "mixed-last", "mixed6", "chain", "loop", "cloud", "zero", "mapped", "compatible", "nat64"),
        *("six-to-four", "unique-local", "failing", "nobody", "silent"),
    ],
)
def test_names_that_lead_inside_or_nowhere(fetched, name):
    assert of(fetched, f"{name}.example") == [("url_unreachable", [])]


@pytest.mark.parametrize("host", LITERALS)
def test_spellings_of_this_machine(fetched, host):
    ((outcome, connected),) = of(fetched, host)
    assert outcome in {"url_unreachable", "url_not_allowed"}
    assert connected == []


@pytest.mark.parametrize(
    ("name", "connected"),
    [("public", [PUBLIC]), ("public6", [PUBLIC_6]), ("chain-public", [PUBLIC]), ("dead-first", [PUBLIC])],
)
def test_public_names(fetched, name, connected):
    assert of(fetched, f"{name}.example")[0] == ("photo", connected)


@pytest.mark.parametrize("path", ["/self", "/cloud", "/file", "/heads", "/chunks", "/both", "/old", "/slow"])
def test_answers_that_are_refused(fetched, path):
    assert of(fetched, "public.example", path) == [("url_unreachable", [PUBLIC])]


def test_redirects_end(fetched):
    assert of(fetched, "public.example", "/loop") == [("url_unreachable", [PUBLIC] * 4)]
