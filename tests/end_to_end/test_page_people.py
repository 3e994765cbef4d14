"""The tab People in a real Chromium: the grid, the page of a person, merges and moves with a way back."""

import json
import re
from urllib.parse import unquote

import httpx2
import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import enroll, identify, opened, show

pytestmark = pytest.mark.browser
CONSENT = {"basis": "contract", "given_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def service(address):
    """A client of the service behind the page."""
    with httpx2.Client(base_url=address, timeout=60) as client:
        yield client


def everybody(client):
    """Return name, metadata, consent and faces of all people, by id."""
    people = client.get("/collections/default/identities").raise_for_status().json()["identities"]
    return {
        each["identity_id"]: (each["name"], each["metadata"], each["consent"], faces_of_person(client, each))
        for each in people
    }


def ids(client):
    """Return the ids of all people."""
    people = client.get("/collections/default/identities").raise_for_status().json()["identities"]
    return {each["identity_id"] for each in people}


def faces_of_person(client, person):
    params = {"identity_id": person["identity_id"]}
    faces = client.get("/collections/default/faces", params=params).raise_for_status().json()["faces"]
    return sorted(face["face_id"] for face in faces)


def open_person(page, name):
    show(page, "People")
    page.locator("#people-list").get_by_role("link", name=name).click()
    page.locator("#person h2", has_text=name).wait_for()
    page.locator("#person .cards li").first.wait_for()


def select(page, *names):
    for name in names:
        page.get_by_label(f"Select {name}", exact=True).check()


def undo(page, text):
    page.locator(".toast", has_text=text).get_by_role("button", name="Undo").click()
    page.locator(".toast", has_text=text).wait_for(state="detached")


# The grid


def test_the_grid_finds_while_one_types_and_shows_more(page):
    page.route(
        re.compile(r"/identities\?.*limit=100"),
        lambda route: route.continue_(url=route.request.url.replace("limit=100", "limit=3")),
    )
    cards = page.locator("#people-list li")
    show(page, "People")
    expect(page.locator("#people-count")).to_have_text("4 people")  # as many pages as fill the first hundred
    page.locator("#people-q").press_sequentially("cor")
    expect(cards).to_have_count(1)
    assert "Cora" in cards.inner_text()
    page.locator("#people-q").fill("zoe <b>")
    page.locator("#people-none", has_text="Nobody is called “zoe <b>”.").wait_for()
    page.get_by_role("button", name="Show everybody").click()
    expect(cards).to_have_count(4)


def test_more_people_than_a_page(page):
    def many(route):
        start = int(route.request.url.partition("cursor=")[2].partition("&")[0] or 0)
        people = [{"identity_id": f"n{at}", "name": None, "faces": 1} for at in range(start, start + 100)]
        route.fulfill(
            json={"identities": people, "next_cursor": str(start + 100) if start < 200 else None, "total": 300}
        )

    page.route(re.compile(r"/identities\?"), many)
    show(page, "People")
    expect(page.locator("#people-list li")).to_have_count(100)
    assert page.locator("#people-count").inner_text() == "100 of 300 people"
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#people-list li")).to_have_count(200)
    assert page.evaluate("document.activeElement.textContent").startswith("Nn100")
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    assert page.locator("#people-count").inner_text() == "300 people"


def test_an_answer_that_comes_after_another_tab_is_out_of_date(page, service, faces_of):
    waiting = []

    def hold(route):
        waiting.append(route)

    page.route("**/identities?*", hold, times=1)
    show(page, "People")
    for _ in range(100):
        if waiting:
            break
        page.wait_for_timeout(50)
    answer = waiting[0].fetch()
    show(page, "Jobs")
    waiting[0].fulfill(response=answer)
    page.wait_for_timeout(200)
    service.post("/enroll", files={"photos": faces_of[5]}, data={"identity_id": "eve"}).raise_for_status()
    show(page, "People")
    expect(page.locator("#people-list li")).to_have_count(5)


def test_the_grid_is_sorted_as_one_chooses(page, service):
    service.patch("/collections/default/identities/p1", json={"name": "Zoë"}).raise_for_status()
    show(page, "People")
    names = page.locator("#people-list b")
    expect(names).to_have_text(["Ada", "Cora", "Dan", "Zoë"])
    page.get_by_label("Order").select_option("newest first")
    expect(names).to_have_text(["Dan", "Cora", "Zoë", "Ada"])
    page.locator("#people-q").fill("ZOE")
    expect(names).to_have_text(["Zoë"])


def test_an_empty_gallery_says_what_to_do_next(page):
    page.route(
        re.compile(r"/identities\?"),
        lambda route: route.fulfill(json={"identities": [], "next_cursor": None, "total": 0}),
    )
    show(page, "People")
    page.get_by_role("button", name="Enroll the first person").click()
    assert page.locator("#enroll").is_visible()


def test_a_page_of_a_person_has_an_address_and_the_way_back_keeps_the_place(page, address):
    page.set_viewport_size({"width": 390, "height": 400})
    show(page, "People")
    page.locator("#people-list li").nth(3).wait_for()
    page.evaluate("scrollTo(0, 330)")
    before = page.evaluate("scrollY")
    assert before > 100
    page.locator("#people-list a", has_text="Dan").evaluate("link => link.click()")  # without scrolling to it
    page.locator("#person h2:focus", has_text="Dan").wait_for()
    assert unquote(page.url) == f"{address}/#/c/default/people/p3"
    assert page.evaluate("scrollY") == 0
    assert page.locator("#people-list").is_hidden()
    page.go_back()
    page.locator("#people-list a:focus", has_text="Dan").wait_for()
    assert page.evaluate("scrollY") == before
    page.go_forward()
    page.locator("#person h2", has_text="Dan").wait_for()
    page.reload()
    page.locator("#person h2", has_text="Dan").wait_for()
    page.get_by_role("link", name="People").click()
    page.locator("#people-list li").nth(3).wait_for()


def test_a_person_who_is_unknown(browser, address, people):
    with opened(browser, address, path="/#/people/no%2Fone%25") as page:
        page.locator("#person", has_text="no/one%").wait_for()
        assert page.locator("#person h2").inner_text() == "Nobody here"
        assert page.locator(".problem").count() == 0


def test_arrow_keys_move_between_cards_and_escape_selects_none(page):
    show(page, "People")
    page.locator("#people-list a").first.focus()
    page.keyboard.press("ArrowRight")
    assert "Bob" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#people-selected")).to_contain_text("1 person selected")
    page.get_by_label("Select Dan").click(modifiers=["Shift"])
    expect(page.locator("#people-selected")).to_contain_text("3 people selected")
    page.keyboard.press("Escape")
    expect(page.locator("#people-selected")).to_be_hidden()
    assert page.locator(".pick:checked").count() == 0


def test_ids_of_the_selected_are_saved_as_csv(page, service):
    service.patch("/collections/default/identities/p1", json={"name": 'Bob "the, builder"'}).raise_for_status()
    show(page, "People")
    select(page, "Ada", 'Bob "the, builder"')
    with page.expect_download() as download:
        page.get_by_role("button", name="Export ids").click()
    assert download.value.suggested_filename == "default-people.csv"
    text = download.value.path().read_bytes().decode()
    assert text == 'identity_id,name\r\n"p0","Ada"\r\n"p1","Bob ""the, builder"""\r\n'


# One person


def test_rename_in_place(page):
    open_person(page, "Ada")
    page.get_by_role("button", name="Rename").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Rename").click()
    page.keyboard.type('<img src=x onerror="alert(1)">')
    page.keyboard.press("Enter")
    page.locator("#person h2", has_text="<img src=x").wait_for()
    page.go_back()
    page.locator("#people-list a", has_text="<img src=x").wait_for()


def test_two_people_are_merged_side_by_side_and_split_again(page, service):
    change = {"name": None, "metadata": {"badge": 7}, "consent": CONSENT}
    service.patch("/collections/default/identities/p1", json=change).raise_for_status()
    before = everybody(service)
    open_person(page, "p1")
    page.get_by_role("button", name="Same person as").click()
    expect(page.locator(".picks li")).to_have_count(3)
    assert "similarity" in page.locator(".picks li").first.inner_text()
    page.locator(".picks button", has_text="Ada").click()
    compare = page.locator("dialog.compare")
    expect(compare.locator(".side")).to_have_count(2)
    assert compare.get_by_label("keep this entry").nth(1).is_checked()  # Ada, who has a name
    compare.get_by_role("button", name="Merge 2 into one").click()
    page.locator("#person h2", has_text="Ada").wait_for()
    expect(page.locator("#person .cards li")).to_have_count(2)
    name, metadata, _, faces = everybody(service)["p0"]
    assert (name, metadata, faces) == ("Ada", {"badge": 7}, sorted(before["p0"][-1] + before["p1"][-1]))
    undo(page, "p1 merged into Ada")
    expect(page.locator("#person .cards li")).to_have_count(1)
    assert everybody(service) == before


def test_selected_people_are_merged_into_the_one_to_keep(page, service):
    before = everybody(service)
    show(page, "People")
    select(page, "Ada", "Bob", "Cora")
    page.get_by_role("button", name="Merge …").click()
    compare = page.locator("dialog.compare")
    compare.get_by_text("Are these 3 one person?").wait_for()
    compare.get_by_role("button", name="Cancel").click()
    assert everybody(service) == before
    page.get_by_role("button", name="Merge …").click()
    compare.get_by_label("keep this entry").nth(2).check()
    compare.get_by_role("button", name="Merge 3 into one").click()
    expect(page.locator("#people-list li")).to_have_count(2)
    assert len(everybody(service)["p2"][-1]) == 3
    expect(page.locator("#people-selected")).to_be_hidden()
    page.keyboard.press("Control+z")
    expect(page.locator("#people-list li")).to_have_count(4)
    assert everybody(service) == before


def test_a_face_is_moved_to_somebody_else_and_back(page, service):
    change = {"metadata": {"badge": 1}, "consent": CONSENT}
    service.patch("/collections/default/identities/p0", json=change).raise_for_status()
    before = everybody(service)
    open_person(page, "Ada")
    page.get_by_role("button", name="Move the face").click()
    page.locator(".picker h2", has_text="Whose face is this?").wait_for()
    page.locator(".picks button", has_text="Dan").click()
    page.locator("#person h2", has_text="Dan").wait_for()  # nothing is left of Ada
    assert "p0" not in ids(service)
    undo(page, "A face of Ada moved to Dan")
    expect(page.locator("#person .cards li")).to_have_count(1)
    assert everybody(service) == before


def test_a_merge_is_undone_although_a_face_was_deleted_since(page, service, faces_of):
    for content in (faces_of[4], faces_of[5]):
        service.post("/enroll", files={"photos": content}, data={"identity_id": "eve"}).raise_for_status()
    first, second = everybody(service)["eve"][-1]
    open_person(page, "eve")
    page.get_by_role("button", name="Same person as").click()
    page.locator(".picks button", has_text="Ada").click()
    page.locator(".compare").get_by_role("button", name="Merge 2 into one").click()
    page.locator("#person h2", has_text="Ada").wait_for()
    service.delete(f"/collections/default/faces/{first}").raise_for_status()
    undo(page, "eve merged into Ada")
    assert everybody(service)["eve"] == (None, {}, None, [second])


def test_selected_faces_become_a_new_person(page, service, faces_of):
    enroll(page, "p0", faces_of[5])
    before = everybody(service)
    open_person(page, "Ada")
    page.get_by_label("Select the face").nth(1).check()
    page.get_by_role("button", name="Make a new person").click()
    page.locator("#person h2:not(:text('Ada'))").wait_for()
    expect(page.locator("#person .cards li")).to_have_count(1)
    now = everybody(service)
    assert len(now) == 5
    assert len(now["p0"][-1]) == 1
    undo(page, "moved to somebody new")
    page.locator("#person", has_text="Nobody here").wait_for()
    assert everybody(service) == before


# Deletions


def test_a_deleted_person_comes_back_or_is_gone_after_some_seconds(page, service, group_photo):
    page.clock.install()
    open_person(page, "Ada")
    for take_back in (lambda: undo(page, "Ada deleted"), lambda: page.keyboard.press("Control+z")):
        page.get_by_role("button", name="Delete this person").click()
        expect(page.locator("#people-list li")).to_have_count(3)
        take_back()
        expect(page.locator("#people-list li")).to_have_count(4)
        page.clock.fast_forward(20_000)
        assert "p0" in ids(service)
        open_person(page, "Ada")
    page.get_by_role("button", name="Delete this person").click()
    page.locator(".toast", has_text="Ada deleted").hover()
    page.clock.fast_forward(20_000)
    assert "p0" in ids(service)  # the pointer stops the time
    page.mouse.move(5, 5)
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.clock.fast_forward(8_000)
    assert "p0" not in ids(service)
    page.clock.fast_forward(8_000)
    expect(page.locator(".toast")).to_have_count(0)
    page.clock.resume()
    identify(page, group_photo)
    said = page.locator("#identify-result").inner_text()
    assert "Bob" in said
    assert "Ada" not in said


@pytest.mark.parametrize("leave", ["another tab", "another page", "sign out"])
def test_whoever_leaves_sends_what_waits(page, service, leave):
    show(page, "People")
    select(page, "Ada", "Bob")
    page.locator("#people-selected").get_by_role("button", name="Delete").click()
    page.locator(".toast", has_text="2 people deleted").wait_for()
    assert len(ids(service)) == 4
    if leave == "another tab":
        with page.expect_response(lambda answer: answer.request.method == "DELETE" and "p1" in answer.url):
            show(page, "Verify")
        assert page.get_by_role("button", name="Undo").count() == 0
    elif leave == "another page":
        page.goto("about:blank")
    else:
        page.evaluate("import('./web/session.js').then((session) => session.signOut())")
        page.locator("#people-list li").first.wait_for()
    for _ in range(50):
        if len(now := ids(service)) == 2:
            break
        page.wait_for_timeout(100)
    assert now == {"p2", "p3"}


def test_faces_are_deleted_the_last_one_with_its_person(page, service, faces_of):
    enroll(page, "p0", faces_of[5])
    open_person(page, "Ada")
    page.get_by_role("button", name="Delete the face").nth(1).click()
    expect(page.locator("#person .cards li")).to_have_count(1)
    undo(page, "A face of Ada deleted")
    expect(page.locator("#person .cards li")).to_have_count(2)
    page.get_by_label("Select the face").nth(0).check()
    page.get_by_label("Select the face").nth(1).check()
    page.locator("#person .selected").get_by_role("button", name="Delete").click()
    page.locator(".toast", has_text="Ada deleted, with the last face").wait_for()
    expect(page.locator("#people-list li")).to_have_count(3)
    show(page, "Verify")
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    for _ in range(50):
        if "p0" not in (now := ids(service)):
            break
        page.wait_for_timeout(100)
    assert "p0" not in now


def test_a_deletion_that_fails_is_said_and_taken_back(page):
    problem = {"title": "Forbidden", "status": 403, "detail": "no", "code": "host_forbidden"}
    page.route(
        "**/identities/p0",
        lambda route: (
            route.fulfill(status=403, json=problem) if route.request.method == "DELETE" else route.continue_()
        ),
    )
    open_person(page, "Ada")
    page.get_by_role("button", name="Delete this person").click()
    page.locator(".toast").get_by_role("button", name="Close").click()
    page.locator(".problem", has_text="host_forbidden").wait_for()
    expect(page.locator("#people-list li")).to_have_count(4)


# Health


def test_people_enrolled_twice_are_compared_and_merged(page, service, faces_of):
    enroll(page, "ada-too", faces_of[0])
    before = everybody(service)
    show(page, "Health")
    page.get_by_role("button", name="Check the gallery").click()
    finding = page.locator("#findings li", has_text="These two look like one person")
    finding.wait_for()
    page.get_by_text("5 people looked at, 1 finding.").wait_for()
    assert finding.locator(".side").count() == 2
    finding.get_by_role("button", name="Compare and merge").click()
    page.locator("dialog.compare").get_by_role("button", name="Merge 2 into one").click()
    page.locator("#findings li.match", has_text="Merged.").wait_for()
    assert ids(service) == {"p0", "p1", "p2", "p3"}
    undo(page, "ada-too merged into Ada")
    finding.get_by_role("button", name="Different people").wait_for()
    assert everybody(service) == before
    finding.get_by_role("button", name="Different people").click()
    page.locator("#findings li.match", has_text="Kept apart.").wait_for()
    page.reload()
    page.get_by_role("button", name="Check the gallery").click()
    page.get_by_text("1 finding is hidden, which you marked as right.").wait_for()
    assert page.locator("#findings li").count() == 0
    page.get_by_role("button", name="Show them again").click()
    finding.get_by_role("button", name="Different people").wait_for()
    assert page.locator("#health-hidden").is_hidden()


def test_a_wrong_face_is_shown_against_the_others_and_moved(page, service, faces_of):
    for content in (faces_of[0], faces_of[0], faces_of[1]):
        data = {"identity_id": "p0", "on_duplicate": "allow"}
        service.post("/enroll", files={"photos": content}, data=data).raise_for_status()
    before = everybody(service)
    show(page, "Health")
    page.get_by_role("button", name="Check the gallery").click()
    finding = page.locator("#findings li", has_text="One face does not look like the others")
    finding.wait_for()
    assert "the others of Ada" in finding.inner_text()
    assert "looks like Bob" in finding.inner_text()
    finding.get_by_role("button", name="Move it to Bob").click()
    page.locator("#findings li.match", has_text="Moved to Bob.").wait_for()
    assert len(everybody(service)["p1"][-1]) == 2
    undo(page, "A face of Ada moved to Bob")
    assert everybody(service) == before
    finding.get_by_role("button", name="Delete this face").click()
    page.locator("#findings li.match", has_text="Deleted.").wait_for()
    undo(page, "A face of Ada deleted")
    finding.get_by_role("link", name="Bob").click()
    page.locator("#person h2", has_text="Bob").wait_for()
    assert everybody(service) == before


def test_metadata_is_shown_as_text(page, service):
    metadata = json.loads('{"note": "<b>night</b>"}')
    service.patch("/collections/default/identities/p0", json={"metadata": metadata}).raise_for_status()
    open_person(page, "Ada")
    assert page.locator("#person code").inner_text() == '{"note":"<b>night</b>"}'
