import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from app import errors
from app.api.http.errors import STATUS
from app.recognition.challenges.presentation import PresentationSign
from app.recognition.liveness.decisions import LivenessVerdict
from app.vision.liveness import AttackSign
from app.vision.liveness.prompts import Prompt
from app.vision.quality.components import Component
from app.vision.quality.judgement import Reason
from tests.web.markup import Markup

WEB = Path(str(files("app"))) / "web"
MESSAGES = WEB / "messages"
LANGUAGES = sorted(each.name for each in MESSAGES.iterdir())
FORMS = {"zero", "one", "two", "few", "many", "other"}
PAGE = (WEB / "index.html").read_text("utf-8")
SOURCE = "\n".join(each.read_text("utf-8") for each in sorted(WEB.glob("*.js")) if each.name != "i18n.js")
KEY = r"[a-z]+\.\w+"


def areas(language):
    return {each.stem: json.loads(each.read_text("utf-8")) for each in sorted((MESSAGES / language).iterdir())}


def texts(language):
    return {f"{area}.{key}": text for area, own in areas(language).items() for key, text in own.items()}


def forms(text):
    return {"other": text} if isinstance(text, str) else text


def placeholders(text):
    return set(re.findall(r"\{(\w+)\}", text))


ENGLISH = texts("en")
OWN = rf"(?:{'|'.join(areas('en'))})\.(?!(?:js|jpg|csv|zip)$)"  # a key, not the name of a file


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


def test_each_language_can_be_chosen():
    options = re.findall(r'<option value="(\w+)" lang="([\w-]+)"', PAGE)
    assert sorted(value for value, _ in options) == LANGUAGES
    assert all(tag.partition("-")[0] == value for value, tag in options)
    assert '<html lang="en">' in PAGE


def test_each_language_has_all_texts(language):
    assert {area: list(own) for area, own in areas(language).items()} == {
        area: sorted(own) for area, own in areas("en").items()
    }


def test_each_language_has_the_same_placeholders(language):
    for key, text in texts(language).items():
        written = forms(text)
        assert "other" in written, key
        assert set(written) <= FORMS, key
        expected = placeholders(forms(ENGLISH[key])["other"])
        assert placeholders(written["other"]) == expected, key
        # "A face" needs no number.
        assert all(expected - {"count"} <= placeholders(each) <= expected for each in written.values()), key


def test_no_text_is_empty_or_has_spaces_around_it(language):
    for key, text in texts(language).items():
        assert all(each and each == each.strip() and "  " not in each for each in forms(text).values()), key


def test_the_static_texts_are_the_english_ones():
    markup = Markup(PAGE)
    assert {key: text for key, text in markup.texts if ENGLISH.get(key) != text} == {}


def test_all_static_texts_are_translated():
    assert Markup(PAGE).loose == ["ArcID"]


def test_all_keys_are_known():
    used = set(re.findall(rf"\b(?:t|rich)\(\s*[\"'`]({KEY})[\"'`]", SOURCE))
    tables = {key for key in re.findall(rf'"({KEY})"', SOURCE) if re.match(OWN, key)}
    assert used | tables <= set(ENGLISH)


def test_no_text_is_unused():
    literal = set(re.findall(rf'"({KEY})"', SOURCE)) | {key for key, _ in Markup(PAGE).texts}
    prefixes = tuple(re.findall(r"`([a-z]+\.\w*)\$\{", SOURCE))
    assert {key for key in ENGLISH if key not in literal and not key.startswith(prefixes or "\0")} == set()


def test_each_error_of_the_api_has_a_title():
    # Those in the second line are errors of one item of a job, or of the job itself.
    tree = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.ArcidError)]
    answered = {each.code for each in tree if issubclass(each, tuple(STATUS))}
    others = (errors.ItemInvalid, errors.JobCancelled, errors.JobInterrupted, errors.IdentityErased)
    generic = {"internal_error", "not_found", "method_not_allowed"}
    assert set(areas("en")["errors"]) == {*answered, *(each.code for each in others), *generic}


def test_each_reason_and_component_of_a_quality_has_a_name():
    names = {f"{kind}_{each}" for kind in ("reason", "hint") for each in Reason} | {
        f"component_{each}" for each in Component
    }
    assert names <= set(areas("en")["quality"])


def test_each_verdict_and_reason_of_liveness_has_a_name():
    names = {f"verdict_{each}" for each in LivenessVerdict} | {f"reason_{each}" for each in AttackSign}
    assert names <= set(areas("en")["liveness"])


def test_each_prompt_and_reason_of_a_challenge_has_a_name():
    names = {f"prompt_{each}" for each in Prompt} | {f"reason_{each}" for each in PresentationSign}
    assert names | {f"verdict_{each}" for each in LivenessVerdict} <= set(areas("en")["challenge"])
