"""Real pages of other sites in Chromium, against a service without API keys: unlisted sites reach nothing."""

import base64
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.container import Container
from tests.end_to_end.browsing import chromium, opened

# The site's page tries all ways to send a request, and records the outcome.
ATTACK = """async ({target, photo}) => {
  const bytes = Uint8Array.from(atob(photo), (each) => each.charCodeAt(0));
  const form = (fields) => {
    const made = new FormData();
    for (const [name, value] of Object.entries(fields)) made.append(name, value);
    return made;
  };
  const said = async (answer) => {
    const {arcid_code, code} = await answer.json();
    return `${answer.status} ${arcid_code ?? code}`;
  };
  const file = () => new File([bytes], "photo.jpg", {type: "image/jpeg"});
  const enroll = () => form({identity_id: "intruder", photos: file()});
  const job = () => form({kind: "export", collection: "default"});
  const collection = '{"name": "intruder"}';
  const headers = {"Content-Type": "application/json"};
  const tries = {
    simple: () => fetch(target + "enroll", {method: "POST", body: enroll(), mode: "no-cors"}),
    readable: () => fetch(target + "enroll", {method: "POST", body: enroll()}),
    job: () => fetch(target + "jobs", {method: "POST", body: job(), mode: "no-cors"}),
    text: () => fetch(target + "collections", {method: "POST", body: collection, mode: "no-cors"}),
    json: () => fetch(target + "collections", {method: "POST", body: collection, headers}),
    erase: () => fetch(target + "collections/default/identities/ada", {method: "DELETE"}),
    list: () => fetch(target + "collections/default/identities"),
    opaque: () => fetch(target + "collections/default/identities", {mode: "no-cors"}),
    ready: () => fetch(target + "readyz"),
    compreface: () => fetch(target + "api/v1/recognition/subjects"),
  };
  const seen = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try {
      const answer = await attempt();
      seen[name] = answer.type === "opaque" ? "opaque" : await said(answer);
    } catch { seen[name] = "blocked"; }
  }
  const frame = document.createElement("iframe");
  frame.name = "into";
  document.body.append(frame);
  const posted = document.createElement("form");
  Object.assign(posted, {method: "POST", action: target + "enroll", enctype: "multipart/form-data", target: "into"});
  const field = Object.assign(document.createElement("input"), {type: "file", name: "photos"});
  const carried = new DataTransfer();
  carried.items.add(file());
  field.files = carried.files;
  posted.append(field, Object.assign(document.createElement("input"), {name: "identity_id", value: "intruder"}));
  document.body.append(posted);
  const loaded = new Promise((resolve) => { frame.onload = resolve; });
  posted.submit();
  await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, 5000))]);
  return seen;
}"""
EVIL = "evil.test"


@contextmanager
def site(folder):
    """Serve a page of another site; yield the port."""
    (folder / "index.html").write_text("<!doctype html><title>another site</title><body>")

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def attacker(tmp_path_factory):
    """A Chromium for which evil.test is this machine, and the port of a page of another site."""
    names = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"
    with chromium(None, names) as browser, site(tmp_path_factory.mktemp("site")) as port:
        yield browser, port


@contextmanager
def served(settings, origins=()):
    changed = settings.model_copy(update={"cors": settings.cors.model_copy(update={"origins": origins})})
    with serving(changed, port=0) as address, httpx2.Client(base_url=address, timeout=120) as client:
        yield address, client


def attack(browser, page_at, target, photo):
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(page_at)
        return page.evaluate(ATTACK, {"target": target, "photo": photo})
    finally:
        context.close()


def everything(client):
    """Return the people, collections and jobs of the service."""
    people = client.get("/collections/default/identities").raise_for_status().json()["identities"]
    names = [each["name"] for each in client.get("/collections").json()["collections"]]
    return [each["identity_id"] for each in people], names, len(client.get("/jobs").json()["jobs"])


def test_pages_of_other_sites_reach_nothing(attacker, settings, faces_of):
    browser, other = attacker
    photo = base64.b64encode(faces_of[1]).decode()
    with served(settings) as (address, client):
        client.post("/enroll", files={"photos": faces_of[0]}, data={"identity_id": "ada"}).raise_for_status()
        before = everything(client)
        port = address.rpartition(":")[2]
        # Another port of this machine, another host's name, and a name pointed at this machine (DNS rebinding).
        for page_at, target in (
            (f"http://127.0.0.1:{other}/", f"{address}/"),
            (f"http://localhost:{other}/", f"http://localhost:{port}/"),
            (f"http://{EVIL}:{other}/", f"{address}/"),
            (f"http://{EVIL}:{other}/", f"http://localhost:{port}/"),
            (f"http://{EVIL}:{port}/docs", f"http://{EVIL}:{port}/"),
        ):
            seen = attack(browser, page_at, target, photo)
            # Only a page that is its own target can read the rejections.
            refusals = {"403 host_forbidden"} if EVIL in target else {"opaque", "blocked"}
            assert set(seen.values()) == refusals, page_at
            assert everything(client) == before, page_at
        with opened(browser, f"http://localhost:{port}") as own:  # at the same time, the service's own page works
            own.get_by_role("tab", name="People").click()
            own.get_by_role("link", name="ada").wait_for()


def test_a_page_that_is_named_calls_the_service(attacker, settings, faces_of):
    browser, other = attacker
    photo = base64.b64encode(faces_of[1]).decode()
    origin = f"http://{EVIL}:{other}"
    with served(settings, (origin,)) as (address, _):
        seen = attack(browser, f"{origin}/", f"{address}/", photo)
        assert seen["list"] == "200 undefined"
        assert (seen["readable"], seen["json"]) == ("200 undefined", "201 undefined")
        assert seen["erase"].startswith(("200", "404"))
        stranger = attack(browser, f"http://localhost:{other}/", f"{address}/", photo)
        assert set(stranger.values()) <= {"opaque", "blocked"}

        # The same applies with a key; preflights do not need it.
        _, secret = Container(settings).keys.create(NewKey("page", [Scope.ADMIN]))
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{origin}/")
        ask = """async ([target, key]) => {
          while ((await fetch(target)).ok) await new Promise((resolve) => setTimeout(resolve, 100));
          const answer = await fetch(target, {headers: {Authorization: `Bearer ${key}`}});
          return [answer.status, Boolean(answer.headers.get("X-Request-ID")), (await fetch(target)).status];
        }"""
        assert page.evaluate(ask, [f"{address}/models", secret]) == [200, True, 401]
        context.close()
