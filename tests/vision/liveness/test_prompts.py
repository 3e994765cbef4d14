import pytest

from app.vision.liveness.motion import Motion
from app.vision.liveness.prompts import Prompt, TimedMotion, followed, is_flat
from tests.vision.liveness.heads import HEAD, PHOTO, moved, seen

START = seen(HEAD)
STANCES = {
    Prompt.TURN_LEFT: {"yaw": 28},
    Prompt.TURN_RIGHT: {"yaw": -28},
    Prompt.LOOK_UP: {"pitch": 28},
    Prompt.COME_CLOSER: {"distance": 5},
}
ORDER = (Prompt.TURN_LEFT, Prompt.LOOK_UP, Prompt.COME_CLOSER)


def shown(*prompts, every_ms=1000, points=HEAD):
    """Return the motions of a face that follows prompts, after a first frame at 0."""
    found = [moved(seen(points), seen(points, **STANCES[each])) for each in prompts]
    return [TimedMotion(place, place * every_ms, each) for place, each in enumerate(found, 1)]


@pytest.mark.parametrize("prompt", Prompt)
def test_a_movement_follows_its_prompt_and_no_other(prompt):
    (timed,) = shown(prompt)
    assert [each for each in Prompt if each.is_followed(timed.motion)] == [prompt]


@pytest.mark.parametrize("prompt", [each for each in Prompt if each is not Prompt.COME_CLOSER])
def test_a_flat_photo_follows_no_prompt_that_shows_depth(prompt):
    (timed,) = shown(prompt, points=PHOTO)
    assert not prompt.is_followed(timed.motion)


def test_each_prompt_has_the_frame_that_follows_it():
    assert followed(ORDER, shown(*ORDER), 0) == [1, 2, 3]
    among_others = shown(Prompt.COME_CLOSER, Prompt.TURN_LEFT, Prompt.TURN_LEFT, Prompt.LOOK_UP, Prompt.COME_CLOSER)
    assert followed(ORDER, among_others, 0) == [2, 4, 5]


def test_prompts_in_another_order_are_not_followed():
    assert followed(ORDER, shown(Prompt.LOOK_UP, Prompt.TURN_LEFT, Prompt.COME_CLOSER), 0) == [2, None, None]
    assert followed(ORDER, [], 0) == [None, None, None]


def test_movements_that_nobody_could_make_so_fast_do_not_count():
    assert followed(ORDER, shown(*ORDER, every_ms=100), 0) == [None, None, None]
    assert followed(ORDER, shown(*ORDER, every_ms=1000), 900) == [None, None, None]


def test_a_face_is_flat_if_it_tilts_and_never_shows_depth():
    tilted = TimedMotion(1, 500, moved(seen(PHOTO), seen(PHOTO, yaw=45)))
    assert is_flat([tilted])
    assert not is_flat([tilted, *shown(Prompt.TURN_LEFT)])
    assert not is_flat([TimedMotion(1, 500, Motion(0.01, 0.01, 0.2, 1))])
    assert not is_flat([])
