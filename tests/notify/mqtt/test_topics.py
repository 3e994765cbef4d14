import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.notify.mqtt.topics import Topics, entity_id, level

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("door-1_a.b~", "door-1_a.b~"),
        ("a/b", "a%2Fb"),
        ("+", "%2B"),
        ("#", "%23"),
        ("$SYS", "%24SYS"),
        ("a\0b", "a%00b"),
        ("a%2Fb", "a%252Fb"),
        ("Zoë", "Zo%C3%AB"),
        ("门", "%E9%97%A8"),
    ],
)
def test_an_id_is_one_level(text, expected):
    assert level(text) == expected


@given(IDS)
def test_levels_have_no_special_characters_and_can_be_read_back(text):
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]+", level(text))
    assert unquote(level(text)) == text


def test_the_longest_ids_fit_a_topic():
    topic = Topics("p" * 128).person("c" * 64, "\U0001f600" * 128)
    assert len(topic.encode()) < 65_535


@given(IDS, IDS)
def test_ids_for_home_assistant_are_safe_and_keep_people_apart(one, other):
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", entity_id("home", one))
    assert (entity_id("home", one) == entity_id("home", other)) == (one == other)
    assert entity_id("a", one) != entity_id("b", one)


def test_ids_for_home_assistant_are_readable():
    assert entity_id("camera", "Front door").startswith("arcid_Front_door_")
