import numpy as np
import pytest

from app.errors import LivenessUnavailable
from app.notify.sighting import SightingVerdict
from app.watch.camera_tracks import CameraTracks, TrackOptions
from tests.watch.scenes import Appearance, Scene, SceneIdentification, at, scene

NO_GATE = TrackOptions(has_motion_gate=False)


def camera(identification, options):
    return CameraTracks("door", "people", identification, options)


def run(identification, scenes, *, options=NO_GATE, fps=5.0):
    """Show scenes to a camera and return its sightings by frame; those of `finish` come last."""
    tracks = camera(identification, options)
    sightings = [tracks.see(each, at(number / fps)) for number, each in enumerate(scenes)]
    return [*sightings, tracks.finish()]


def flat(sightings):
    return [each for of_frame in sightings for each in of_frame]


def walking(person, frames=20, *, start=0.0, step=4.0, quality=0.8):
    return [scene(Appearance(person, start + step * number, quality)) for number in range(frames)]


def test_a_person_gives_one_sighting():
    (sighting,) = flat(run(SceneIdentification(["ada"]), walking("ada")))
    assert (sighting.camera, sighting.collection, sighting.verdict) == ("door", "people", SightingVerdict.MATCH)
    assert (sighting.identity_id, sighting.name, sighting.similarity, sighting.fpir) == ("ada", "Ada", 0.7, 0.001)
    assert (sighting.quality, sighting.first_seen, sighting.is_revised) == (0.8, at(0), False)
    assert sighting.best_shot is not None
    assert sighting.best_shot.startswith(b"\xff\xd8")


def test_a_match_is_reported_with_the_second_shot_and_a_stranger_later():
    first = [bool(each) for each in run(SceneIdentification(["ada"]), walking("ada"))].index(True)
    later = [bool(each) for each in run(SceneIdentification(["ada"]), walking("bob"))].index(True)
    assert (first, later) == (1, 2)
    (sighting,) = flat(run(SceneIdentification(["ada"]), walking("bob")))
    assert (sighting.verdict, sighting.identity_id, sighting.name) == (SightingVerdict.UNKNOWN, None, None)


def test_two_people_have_a_track_each():
    both = [
        scene(*one.people, *other.people) for one, other in zip(walking("ada"), walking("bob", start=200), strict=True)
    ]
    sightings = flat(run(SceneIdentification(["ada"]), both))
    assert sorted(each.verdict for each in sightings) == ["match", "unknown"]
    assert len({each.track_id for each in sightings}) == 2


def test_a_short_gap_does_not_end_a_track():
    scenes = [*walking("ada", 5), *[scene()] * 5, *walking("ada", 5, start=300)]
    assert len(flat(run(SceneIdentification(["ada"]), scenes))) == 1


def test_after_a_long_gap_a_person_is_sighted_again():
    scenes = [*walking("ada", 5), *[scene()] * 15, *walking("ada", 5)]
    one, other = flat(run(SceneIdentification(["ada"]), scenes))
    assert one.track_id != other.track_id
    assert not other.is_revised


def test_another_person_at_the_same_place_is_another_track():
    scenes = [*walking("ada", 10, step=0), *walking("bob", 10, step=0)]
    sightings = flat(run(SceneIdentification(["ada", "bob"]), scenes))
    assert [each.identity_id for each in sightings] == ["ada", "bob"]


@pytest.mark.parametrize("quality", [0.3, 0.6])
def test_another_person_of_lower_quality_is_another_track(quality):
    scenes = [*walking("ada", 15, step=0, quality=0.9), *walking("bob", 100, step=0, quality=quality)]
    first, second = flat(run(SceneIdentification(["ada", "bob"]), scenes))
    assert [first.identity_id, second.identity_id] == ["ada", "bob"]
    assert first.last_seen < second.first_seen


def test_different_low_quality_faces_do_not_split_a_track():
    blurred = [scene(Appearance(f"nobody-{number % 3}", 0, quality=0.5)) for number in range(40)]
    scenes = [*walking("ada", 15, step=0), *blurred, *walking("ada", 15, step=0)]
    assert [each.identity_id for each in flat(run(SceneIdentification(["ada"]), scenes))] == ["ada"]


def test_a_low_quality_face_does_not_split_a_track():
    blurred = scene(Appearance("nobody", 20, quality=0.5))
    scenes = [*walking("ada", 5), blurred, *walking("ada", 5, start=24)]
    assert [each.identity_id for each in flat(run(SceneIdentification(["ada"]), scenes))] == ["ada"]


def test_embeddings_are_bounded_and_detection_is_not():
    identification = SceneIdentification(["ada"])
    run(identification, walking("ada", 300, step=0))
    assert identification.detected == 300
    assert 10 <= identification.embedded <= 35
    assert identification.decided <= 4


def test_better_faces_are_embedded_at_once():
    identification = SceneIdentification(["ada"])
    run(identification, [*walking("ada", 60, step=0, quality=0.3), *walking("ada", 60, step=0, quality=0.9)])
    assert identification.embedded > 25


def test_a_single_good_frame_is_decided_at_its_end():
    assert [len(each) for each in run(SceneIdentification(["ada"]), walking("ada", 1, quality=0.6))] == [0, 1]


@pytest.mark.parametrize(("frames", "expected"), [(1, []), (2, []), (3, ["unknown"])])
def test_a_stranger_of_low_quality_needs_several_frames(frames, expected):
    sightings = flat(run(SceneIdentification(["ada"]), walking("bob", frames, quality=0.1)))
    assert [each.verdict for each in sightings] == expected


def test_a_known_person_of_low_quality_is_possible_at_the_end():
    *frames, last = run(SceneIdentification(["ada"]), walking("ada", 4, quality=0.1))
    assert flat(frames) == []
    assert [each.verdict for each in last] == ["possible"]


def test_a_decision_that_changes_is_reported_as_revised():
    identification = SceneIdentification()
    tracks = camera(identification, NO_GATE)
    scenes = walking("ada", 20)
    first = [each for number in range(4) for each in tracks.see(scenes[number], at(number / 5))]
    identification.enrolled.add("ada")
    later = [each for number in range(4, 20) for each in tracks.see(scenes[number], at(number / 5))]
    assert [(each.verdict, each.is_revised) for each in [*first, *later]] == [("unknown", False), ("match", True)]
    assert first[0].track_id == later[0].track_id


def test_an_attack_is_reported():
    scenes = [scene(Appearance("ada", 4.0 * number, liveness="attack")) for number in range(10)]
    (sighting,) = flat(run(SceneIdentification(["ada"]), scenes))
    assert (sighting.verdict, sighting.identity_id, sighting.liveness) == (SightingVerdict.ATTACK, None, "attack")


def test_a_track_whose_network_is_gone_is_not_decided():
    identification = SceneIdentification(["ada"])
    identification.is_switched = True
    assert flat(run(identification, walking("ada"))) == []


def test_without_motion_there_is_one_detection_a_second():
    identification = SceneIdentification(["ada"])
    sightings = run(identification, walking("ada", 50, step=0), options=TrackOptions())
    assert 10 <= identification.detected <= 12
    assert len(flat(sightings)) == 1


def test_motion_is_searched_at_once():
    identification = SceneIdentification()
    pixels = np.zeros((60, 400, 3), np.uint8)
    pixels[20:50, 20:50] = 200
    run(identification, [scene(), scene(), Scene((), pixels), scene()], options=TrackOptions())
    assert identification.detected == 3


def test_pictures_can_be_left_out():
    options = TrackOptions(has_pictures=False, has_motion_gate=False)
    (sighting,) = flat(run(SceneIdentification(["ada"]), walking("ada"), options=options))
    assert sighting.best_shot is None


def test_after_an_error_an_ended_track_is_still_decided(monkeypatch):
    identification = SceneIdentification(["ada"])
    tracks = camera(identification, NO_GATE)
    tracks.see(walking("ada", 1, quality=0.6)[0], at(0))
    with monkeypatch.context() as broken:
        broken.setattr(identification, "embed", failing)
        with pytest.raises(LivenessUnavailable):
            tracks.see(walking("bob", 1)[0], at(5))
    assert [each.identity_id for each in tracks.see(scene(), at(6))] == ["ada"]


def failing(*_arguments, **_named):
    raise LivenessUnavailable("a test")
