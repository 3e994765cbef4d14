"""Imports on the page, in Chromium: a folder, a ZIP, connections that break, a reload, refusals and another rule."""

import base64
import csv
import os
import re
import shutil
import subprocess
import zipfile
from urllib.parse import urlsplit

import cv2
import httpx2
import numpy as np
import pytest

from app.config import PROJECT
from tests.end_to_end.breaking import breaking
from tests.end_to_end.browsing import beyond_the_edge, opened, show, wait_until_connected
from tests.end_to_end.test_page_accessibility import _JUDGE

pytestmark = pytest.mark.browser


def in_a_row(*photos):
    """Return one JPEG of several photos in a row."""
    images = [cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR) for each in photos]
    return cv2.imencode(".jpg", np.hstack([cv2.resize(np.asarray(each), (300, 300)) for each in images]))[1].tobytes()


@pytest.fixture
def folder(tmp_path, faces_of, faceless):
    """A folder of people: two good photos, one cut short, one without a face, one with two, and a text."""
    files = {
        "eve/1.jpg": faces_of[4],
        "fay/1.jpg": faces_of[5],
        "gus/cut.jpg": faces_of[4][:2000],
        "hal/=none.png": faceless,
        "ina/two.jpg": in_a_row(faces_of[4], faces_of[5]),
        "notes.txt": b"text",
    }
    for name, content in files.items():
        path = tmp_path / "staff" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "staff"


@pytest.fixture
def broken(browser, address, people):
    """Open the page behind a proxy with these cuts: `with broken(1000) as (page, proxy)`."""

    def start(*cuts, bytes_per_second=0):
        return _Broken(browser, address, cuts, bytes_per_second)

    return start


class _Broken:
    def __init__(self, browser, address, cuts, bytes_per_second):
        self.proxying = breaking(urlsplit(address).port, bytes_per_second=bytes_per_second)
        self.browser, self.cuts = browser, cuts

    def __enter__(self):
        port, self.proxy = self.proxying.__enter__()
        self.opening = opened(self.browser, f"http://127.0.0.1:{port}", path="/#/jobs")
        page = self.opening.__enter__()
        page.locator("#import-choose-folder").wait_for()
        self.proxy.cuts.extend(self.cuts)
        return page, self.proxy

    def __exit__(self, *error):
        self.opening.__exit__(*error)
        self.proxying.__exit__(*error)


def begin(page):
    page.get_by_role("button", name="Start the import").click()


def finished(page, text):
    page.locator("#import-run .verdict", has_text=text).wait_for()


def test_a_folder_over_connections_that_break(broken, folder):
    with broken(20_000, 1, 30_000) as (page, proxy):
        page.set_input_files("#import-folder", folder)
        page.locator("#import-found", has_text="5 photos of 5 people").wait_for()
        page.get_by_text("1 other file is left out").wait_for()
        assert page.locator("#import-first img").count() >= 4
        begin(page)
        finished(page, "2 enrolled, 0 known already, 3 refused")
        assert proxy.broken == 3
        rows = page.locator(".refusals tbody tr")
        assert re.findall("several faces|image damaged|no face", " ".join(rows.all_inner_texts()).lower())
        assert rows.count() == 3
        page.locator(".refusals tr", has_text="two.jpg").locator("img").wait_for()
        with page.expect_download() as saving:
            page.get_by_role("button", name="Save as CSV").click()
        table = list(csv.reader(saving.value.path().read_text("utf-8-sig").splitlines()))
        assert [each[:3] for each in table] == [
            ["file", "person", "code"],
            ["gus/cut.jpg", "gus", "image_damaged"],
            ["hal/=none.png", "hal", "no_face"],
            ["ina/two.jpg", "ina", "several_faces"],
        ]
        page.get_by_label("Reason").select_option("several_faces")
        assert rows.count() == 1
        page.get_by_role("button", name="Try 1 photo again").click()
        finished(page, "1 enrolled, 0 known already, 0 refused")
        page.get_by_role("button", name="Import more").click()
        page.get_by_role("button", name="Choose a folder").wait_for()
        show(page, "People")
        page.locator("#people-list a", has_text="ina").wait_for()


def test_a_reload_continues_the_upload(broken, tmp_path, faces_of):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("eve/1.jpg", faces_of[4])
        packed.writestr("eve/2.bin", os.urandom(6_000_000))
    with broken(bytes_per_second=2_000_000) as (page, proxy):
        page.set_input_files("#import-file", path)
        begin(page)
        page.locator("#import-run .detail", has_text=re.compile(r"[1-9].* MB of")).wait_for()
        page.reload()
        wait_until_connected(page)
        asked: list[str] = []
        page.on("request", lambda each: asked.append(f"{each.method} {each.headers.get('upload-offset')}"))
        page.set_input_files("#import-file", path)
        proxy.bytes_per_second = 0
        begin(page)
        finished(page, "refused")
        first = next(each for each in asked if each.startswith("PATCH"))
        assert int(first.split()[1]) > 200_000


def test_an_upload_is_paused_and_cancelled(broken, address, folder):
    (folder / "eve" / "noise.jpg").write_bytes(os.urandom(3_000_000))
    with broken(bytes_per_second=500_000) as (page, proxy):
        page.set_input_files("#import-folder", folder)
        begin(page)
        page.locator("#import-run", has_text="Uploading").wait_for()
        page.get_by_role("button", name="Pause").click()
        page.locator("#import-run", has_text="Paused").wait_for()
        page.get_by_role("button", name="Continue").click()
        page.locator("#import-run .detail", has_text="MB of").wait_for()
        upload = page.evaluate("JSON.parse(sessionStorage.getItem('arcid.upload')).id")
        assert httpx2.get(f"{address}/uploads/{upload}").json()["length"] > 3_000_000
        proxy.bytes_per_second = 0
        page.locator("#import-run").get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Choose a folder").wait_for()
        assert httpx2.get(f"{address}/uploads/{upload}").status_code == 404


def test_a_zip_larger_than_a_request(page, tmp_path, faces_of, faceless):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("staff/eve/1.jpg", faces_of[4], zipfile.ZIP_DEFLATED)
        packed.writestr("staff/hal/none.jpg", faceless, zipfile.ZIP_DEFLATED)
        packed.writestr("staff/hal/noise.bin", os.urandom(70_000_000))
    show(page, "Jobs")
    page.set_input_files("#import-file", path)
    page.locator("#import-found", has_text="2 photos of 2 people").wait_for()
    begin(page)
    finished(page, "2 refused")
    page.locator(".refusals tr", has_text="none.jpg").locator("img").wait_for()
    assert page.locator(".refusals tr", has_text="noise.bin").locator("img").count() == 0


def test_photos_without_folders_and_nothing_at_all(page, faces_of, tmp_path):
    show(page, "Jobs")
    (tmp_path / "text.txt").write_text("text")
    page.set_input_files("#import-photos", tmp_path / "text.txt")
    page.locator(".problem", has_text="No photo was found").wait_for()
    (tmp_path / "kim.jpg").write_bytes(faces_of[4])
    (tmp_path / "leo.jpg").write_bytes(faces_of[5])
    page.set_input_files("#import-photos", [tmp_path / "kim.jpg", tmp_path / "leo.jpg"])
    page.locator("#import-found", has_text="2 photos of 2 people").wait_for()
    begin(page)
    finished(page, "2 enrolled")
    show(page, "People")
    page.locator("#people-list a", has_text="kim").wait_for()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_state_fits_and_has_no_violation(browser, address, people, axe, folder, width, scheme):
    with opened(browser, address, path="/#/jobs", width=width, scheme=scheme) as page:
        page.evaluate(axe)
        page.set_input_files("#import-folder", folder)
        page.locator("#import-first img").first.wait_for()
        assert page.evaluate(_JUDGE) == []
        assert beyond_the_edge(page) == []
        page.keyboard.press("Enter")  # the button has the focus
        page.locator(".refusals table img").first.wait_for()
        assert page.evaluate(_JUDGE) == []
        assert beyond_the_edge(page) == []


MAKE = """
const made = async (count) => {
  const entries = Array.from({ length: count }, (_, at) => ({ path: `p${at}/ü.jpg`, file: new Blob([`photo ${at}`]) }));
  return zipped(entries);
};
"""
IN_PAGE = """async (count) => {
  const { zipped } = await import("/web/zip.js");
  %s
  const reader = new FileReader();
  reader.readAsDataURL(await made(count));
  await new Promise((resolve) => (reader.onload = resolve));
  return reader.result.split(",")[1];
}"""
IN_NODE = """import { writeFileSync } from "node:fs";
import { zipped } from "./zip.mjs";
%s
writeFileSync("made.zip", Buffer.from(await (await made(70_000)).arrayBuffer()));
"""


@pytest.mark.parametrize("count", [0, 1, 40])
def test_zip_files_of_the_page(page, tmp_path, count):
    path = tmp_path / "made.zip"
    path.write_bytes(base64.b64decode(page.evaluate(IN_PAGE % MAKE, count)))
    expect_readable(path, count)


def test_a_zip_with_more_files_than_two_bytes_count(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed: run .ci/install node")
    shutil.copy(PROJECT / "app" / "web" / "zip.js", tmp_path / "zip.mjs")
    (tmp_path / "make.mjs").write_text(IN_NODE % MAKE)
    subprocess.run([node, "make.mjs"], cwd=tmp_path, check=True)
    expect_readable(tmp_path / "made.zip", 70_000)


def expect_readable(path, count):
    with zipfile.ZipFile(path) as made:
        assert made.testzip() is None
        assert len(made.infolist()) == count
        if count:
            assert made.read(f"p{count - 1}/ü.jpg") == f"photo {count - 1}".encode()
    if count and (unzip := shutil.which("unzip")):
        done = subprocess.run([unzip, "-tqq", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
