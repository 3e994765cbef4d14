import threading
import time

import pytest

from app.errors import RequestInvalid, SettingsInvalid
from app.gallery.store.values import Collection, CollectionSettings
from app.recognition.decisions.calibration.applicable import Calibrations
from app.recognition.decisions.policy import Outcome
from app.recognition.model_registry import ModelRegistry, ServedModel
from app.types import CollectionKey

ONE, TWO = ServedModel("pack-one", "one", 3, "squares", 0.5), ServedModel("pack-two", "two", 4, "squares", 0.6)


def collection(model: str, **settings) -> Collection:
    return Collection(CollectionKey(1), "uid", "people", model, 3, 0, 0, 0, CollectionSettings(**settings))


class Opened:
    """Stands for an analysis; remembers what was opened."""

    def __init__(self, log, network, detector):
        time.sleep(0.02)  # long enough for two threads to meet
        log.append((network.model, detector))


@pytest.fixture
def opened():
    return []


@pytest.fixture
def registry(opened, tmp_path) -> ModelRegistry:
    def open_analysis(network, detector):
        if detector == "nothing":
            raise SettingsInvalid("ARCID_DETECTOR=nothing")
        return Opened(opened, network, detector)

    return ModelRegistry(
        [ONE, TWO, ServedModel("pack-again", "one", 3, "squares", 0.5)],
        open_analysis=open_analysis,
        calibrations_of=lambda network, detector: Calibrations(tmp_path, tmp_path, lambda _: f"{network}{detector}"),
    )


def test_nothing_is_opened_before_it_is_needed(registry, opened):
    registry.policy_of(collection("two"))
    assert opened == []
    registry.analysis_of(collection("two"))
    assert opened == [("two", "squares")]


def test_each_network_is_opened_once_however_many_need_it(registry, opened):
    got = []
    threads = [threading.Thread(target=lambda: got.append(registry.analysis_of(collection("one")))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert opened == [("one", "squares")]
    assert len(set(map(id, got))) == 1


def test_a_collection_has_its_own_network_and_detector(registry, opened):
    registry.analysis_of(collection("two", detector="circles"))
    assert opened == [("two", "circles")]
    assert registry.detector_of(collection("two", detector="circles")) == "circles"
    assert registry.detector_of(collection("two")) == "squares"
    assert registry.policy_of(collection("two")).fallback == 0.6


def test_one_that_is_not_served_gets_the_usual_network(registry, opened):
    registry.analysis_of(collection("third"))
    assert opened == [("one", "squares")]


def test_networks_are_named_by_model_or_pack(registry):
    assert registry.named(None) == registry.named("one") == registry.named("pack-one") == ONE
    assert registry.named("two") == registry.named("pack-two") == TWO
    with pytest.raises(RequestInvalid, match=r"one \(pack pack-one\), two \(pack pack-two\).*ARCID_PACKS") as caught:
        registry.named("third")
    assert caught.value.fields[0]["field"] == "model"


def test_of_two_packs_with_one_model_the_first_serves(registry):
    assert registry.all == [ONE, TWO]
    assert registry.models == {"one", "two"}


def test_a_detector_that_cannot_be_opened_is_refused_in_words_for_callers(registry):
    with pytest.raises(RequestInvalid) as caught:
        registry.require_detector(ONE, "nothing")
    assert "ARCID" not in str(caught.value)


def test_a_collections_own_rule_is_its_policy(registry):
    policy = registry.policy_of(collection("one", threshold=0.7, probe_quality=0.3))
    assert policy.for_verification().threshold == policy.for_identification(10).threshold == 0.7
    assert policy.for_verification(threshold=0.1).threshold == 0.1
    assert policy.for_verification().outcome(0.7) is Outcome.MATCH
    assert policy.probe_quality == 0.3
