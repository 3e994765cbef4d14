"""The service behind a real nginx with TLS, below a path, with the configuration from the documentation."""

import shutil
import ssl
import subprocess
import time
from contextlib import contextmanager
from socket import create_server

import httpx2
import pytest

from app.cli.demo import serving
from app.config import PROJECT
from tests.end_to_end.browsing import chromium, opened

CONFIGURATION = PROJECT / "docker" / "nginx.conf"
AROUND = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/arcid.conf;
}}
"""


def free_port():
    with create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def nginx(folder, address):
    """Run nginx in front of a service; yield its port."""
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx is not installed: run .ci/install nginx")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        [*make.split(), "-keyout", folder / "arcid.key", "-out", folder / "arcid.crt"], check=True, capture_output=True
    )
    port = free_port()
    text = CONFIGURATION.read_text("utf-8")
    for said, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name faces.example.com", "server_name localhost"),
        ("/etc/nginx/arcid", f"{folder}/arcid"),
        ("http://127.0.0.1:8000", address),
    ):
        assert said in text
        text = text.replace(said, here)
    (folder / "arcid.conf").write_text(text, "utf-8")
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder), "utf-8")
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf"]
    folder.chmod(0o755)
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield port
    finally:
        running.terminate()
        running.communicate(timeout=10)


@pytest.fixture(scope="module")
def proxied(settings, tmp_path_factory):
    """A client of the service behind nginx, with the users' base URL."""
    folder = tmp_path_factory.mktemp("nginx")
    changed = settings.model_copy(update={"proxies": ("127.0.0.1/32",)})
    with serving(changed, port=0) as address, nginx(folder, address) as port:
        trusted = ssl.create_default_context(cafile=folder / "arcid.crt")
        with httpx2.Client(base_url=f"https://localhost:{port}/faces/", verify=trusted, timeout=60) as client:
            for _ in range(100):
                try:
                    client.get("healthz")
                    break
                except httpx2.TransportError:
                    time.sleep(0.1)
            yield client


def followed(client, answer):
    """Return the URL to which `Location` leads a client."""
    return str(client.base_url.join(answer.headers["location"]))


def test_answers_name_the_prefix(proxied):
    made = proxied.post("collections", json={"name": "a"})
    assert (made.status_code, made.headers["location"]) == (201, "/faces/collections/a")
    assert proxied.get(followed(proxied, made)).json()["name"] == "a"
    assert proxied.get("openapi.json").json()["servers"][0]["url"] == "/faces/v1"
    assert proxied.head("readyz").status_code == 200
    assert proxied.get(proxied.base_url.join("/faces")).headers["location"].endswith("/faces/")
    unknown = proxied.get("collections/default/identities/a%2Fb")  # arrives as it was sent
    assert (unknown.status_code, "'a/b'" in unknown.json()["detail"]) == (404, True)


def test_bodies_are_bounded_by_the_service(proxied):
    too_large = proxied.post("identify", files={"photo": b"x" * 65_000_000})
    assert (too_large.status_code, too_large.json()["code"]) == (413, "body_too_large")
    assert proxied.post("identify", content=b"x" * 71_000_000).status_code == 413  # nginx itself


def test_events_come_at_once(proxied):
    job = proxied.post("jobs", json={"kind": "export", "collection": "default"})
    assert job.headers["location"].startswith("/faces/jobs/")
    with proxied.stream("GET", f"{followed(proxied, job)}/events") as answer:
        seen = [line for line in answer.iter_lines() if line.startswith("event: ")]
    assert seen[-1] == "event: end"


def test_the_page_and_the_documentation(proxied, portrait):
    proxied.post("enroll", files={"photos": portrait}, data={"identity_id": "eileen"}).raise_for_status()
    with chromium(None, "--ignore-certificate-errors") as browser:
        address = str(proxied.base_url).rstrip("/")
        with opened(browser, address, path="/") as page:
            page.get_by_role("tab", name="People").click()
            page.get_by_role("link", name="eileen").wait_for()
        with opened(browser, address, path="/docs") as page:
            page.get_by_text("Self-hosted face recognition").wait_for()
