"""/docs in a real Chromium: choose a photo, execute."""

import pytest

from tests.end_to_end.browsing import opened

PHOTOS = {
    "detect": ("photo",),
    "embed": ("photo",),
    "identify": ("photo",),
    "enroll": ("photos",),
    "verify": ("probe", "reference"),
    "comprefaceAddExample": ("file",),
    "comprefaceRecognise": ("file",),
    "comprefaceDetect": ("file",),
    "comprefaceVerify": ("source_image", "target_image"),
    "deepfaceRepresent": ("img",),
    "deepfaceVerify": ("img1", "img2"),
}
HARMLESS = ["Could not find component: JsonSchema_string_binary"]
"""Swagger UI logs it, and then shows its own field for files."""
SUBJECT = {"comprefaceAddExample"}

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def docs(browser, address):
    with opened(browser, address, path="/docs", height=3000, harmless=HARMLESS) as page:
        page.wait_for_selector(".opblock")
        yield page


def execute(docs, tag, operation, files):
    """Try an operation out as it comes: choose the files, execute, and return the status."""
    block = docs.locator(f"#operations-{tag}-{operation}")
    block.locator(".opblock-summary-control").click()
    block.locator(".try-out__btn").click()
    for name, photo in files.items():
        row = block.locator(f"tr[data-property-name='{name}']")
        if row.locator("button.json-schema-form-item-add").count():
            row.locator("button.json-schema-form-item-add").click()
        row.locator("input[type=file]").set_input_files(
            {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo}
        )
    if operation in SUBJECT:
        block.locator("tr[data-param-name='subject'] input").fill("Ada")
    block.locator("button.execute").click()
    status = block.locator(".live-responses-table tbody .response-col_status").first
    status.wait_for()
    return status.inner_text(), block.locator(".live-responses-table").inner_text()


@pytest.mark.parametrize("operation", PHOTOS)
def test_a_photo_is_all_that_a_route_needs(docs, operation, faces_of):
    tag = next((each for each in ("compreface", "deepface") if operation.startswith(each)), "recognition")
    files = dict.fromkeys(PHOTOS[operation], faces_of[0])
    status, answer = execute(docs, tag, operation, files)
    assert status.split()[0] in {"200", "201"}, answer
