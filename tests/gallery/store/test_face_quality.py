import json

import pytest

from app.gallery.store.face_quality import quality_members, stored_quality
from app.vision.quality import Component, Quality, Reason

QUALITY = Quality(0.4, (Reason.BLURRED, Reason.DARK), {Component.SHARPNESS: 12.345, Component.LUMINANCE_MEAN: 80})


def test_a_quality_is_read_as_it_was_stored():
    read = stored_quality(0.4, json.loads(json.dumps(quality_members(QUALITY))))
    assert read == QUALITY
    assert read.components == {Component.SHARPNESS: 12.35, Component.LUMINANCE_MEAN: 80}
    assert read.worst is Component.SHARPNESS
    assert len(read.hints) == 2


@pytest.mark.parametrize(
    "members", [None, {}, {"reasons": None, "components": 3}, {"reasons": ["later"], "components": {"later": 1}}]
)
def test_what_another_version_stored_is_left_out(members):
    read = stored_quality(0.4, members)
    assert read == Quality(0.4)
    assert read.components == {}
    assert stored_quality(None, members) is None
