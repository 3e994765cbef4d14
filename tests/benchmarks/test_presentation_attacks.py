"""benchmarks/presentation_attacks.py: simulated attacks repeat, keep the photo's content, and carry their pattern."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from presentation_attacks import AttackKind, attack, chosen, live, photos_of

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "presentation_attacks.py"


@pytest.fixture
def photo():
    """Return a smooth photo (240, 200, 3) with a bright disc, which has no fine pattern."""
    rows, columns = np.indices((240, 200))
    disc = (rows - 120) ** 2 + (columns - 100) ** 2 < 60**2
    pixels = np.stack([60 + rows // 4, 90 + columns // 4, 110 + 0 * rows], axis=2) + 80 * disc[..., None]
    return cv2.GaussianBlur(pixels.astype(np.uint8), (0, 0), 3)


def strongest_pattern(pixels):
    """Return how far the strongest fine frequency of a photo's middle stands above the median one."""
    grey = pixels.mean(axis=2)
    height, width = grey.shape
    middle = grey[height // 4 : -height // 4, width // 4 : -width // 4]
    windowed = (middle - middle.mean()) * np.outer(np.hanning(middle.shape[0]), np.hanning(middle.shape[1]))
    spectrum = np.abs(np.fft.fft2(windowed))
    fine = np.maximum(*np.meshgrid(*(np.abs(np.fft.fftfreq(side)) for side in middle.shape), indexing="ij")) > 0.15
    return spectrum[fine].max() / np.median(spectrum[fine])


@pytest.mark.parametrize("kind", AttackKind)
def test_the_same_generator_makes_the_same_attack(photo, kind):
    first, second = (attack(photo, kind, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, attack(photo, kind, np.random.default_rng(2)))


@pytest.mark.parametrize("kind", AttackKind)
def test_an_attack_shows_the_photo_in_its_middle(photo, kind):
    made = attack(photo, kind, np.random.default_rng(3))
    height, width = made.shape[:2]
    middle, lower = (
        made[height // 2, width // 2 - 5 : width // 2 + 5],
        made[int(height * 0.82), width // 3 : width // 2],
    )
    assert middle.mean() > lower.mean()


@pytest.mark.parametrize("kind", [AttackKind.PRINT_CLOSE, AttackKind.SCREEN_CLOSE])
def test_prints_and_screens_have_a_fine_pattern_and_live_photos_have_none(photo, kind):
    of_live = np.median([strongest_pattern(live(photo, np.random.default_rng(seed))) for seed in range(7)])
    of_attack = np.median([strongest_pattern(attack(photo, kind, np.random.default_rng(seed))) for seed in range(7)])
    assert of_attack > 2 * of_live


def test_the_command_writes_one_folder_for_each_kind(tmp_path, photo):
    for person in ("ann", "bob", "cleo"):
        (tmp_path / "photos" / person).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "photos" / person / "1.png"), photo)
    command = [sys.executable, SCRIPT, "--photos", tmp_path / "photos", "--out", tmp_path / "out", "--people", "2"]
    subprocess.run([*map(str, command), "--kinds", "print", "screen"], check=True, capture_output=True)
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.jpg")}
    assert len(written) == 6
    assert {Path(each).parts[:2] for each in written if each.startswith("attacks")} == {
        ("attacks", "print"),
        ("attacks", "screen"),
    }
    assert {Path(each).parts[1] for each in written if each.startswith("live")} < {"ann", "bob", "cleo"}


def test_people_are_folders_or_files(tmp_path):
    for name in ("neutral/001.jpg", "neutral/002.jpg", "smiling/001.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    by_file = photos_of(tmp_path, is_person_file=True)
    assert sorted({each.person for each in by_file}) == ["001", "002"]
    assert {each.person for each in photos_of(tmp_path, is_person_file=False)} == {"neutral", "smiling"}
    assert len(list(chosen(by_file, people=2, each=1, seed=0))) == 2
