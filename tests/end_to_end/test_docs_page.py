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
    with opened(browser, address, path="/healthz", height=3000, harmless=HARMLESS) as page:
        page.route("**/openapi.json", with_photos_only)  # Swagger UI renders all operations at each click
        page.goto(f"{address}/docs")
        page.wait_for_selector(".opblock")
        yield page


def with_photos_only(route):
    """Answer with the document without operations that need no photo."""
    answer = route.fetch()
    document = answer.json()
    for path in document["paths"].values():
        for method in [method for method, each in path.items() if each["operationId"] not in PHOTOS]:
            del path[method]
    route.fulfill(response=answer, json=document)


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
    seen = status.inner_text(), block.locator(".live-responses-table").inner_text()
    block.locator(".opblock-summary-control").click()
    return seen


def test_the_whole_document_is_shown(browser, address):
    with opened(browser, address, path="/docs", harmless=HARMLESS) as page:
        paths = page.request.get(f"{address}/openapi.json").json()["paths"].values()
        operations = sorted(each["operationId"] for path in paths for each in path.values())
        page.wait_for_selector(".opblock")
        blocks = page.locator(".opblock").evaluate_all("(all) => all.map((each) => each.id.split('-').at(-1))")
        assert sorted(blocks) == operations


@pytest.mark.parametrize("operation", PHOTOS)
def test_a_photo_is_all_that_a_route_needs(docs, operation, faces_of):
    tag = next((each for each in ("compreface", "deepface") if operation.startswith(each)), "recognition")
    files = dict.fromkeys(PHOTOS[operation], faces_of[0])
    status, answer = execute(docs, tag, operation, files)
    assert status.split()[0] in {"200", "201"}, answer
