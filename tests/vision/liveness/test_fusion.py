from app.vision.liveness import AttackSign, LivenessEvidence, fused


def test_one_odd_frame_changes_nothing():
    frames = [LivenessEvidence(0.9), LivenessEvidence(0.8), LivenessEvidence(0.1, (AttackSign.NETWORK,))]
    assert fused(frames) == LivenessEvidence(0.8)


def test_signs_of_half_of_the_frames_remain_the_most_frequent_first():
    both = (AttackSign.NETWORK, AttackSign.REGULAR_PATTERN)
    frames = [LivenessEvidence(0.2, both), LivenessEvidence(0.3, (AttackSign.REGULAR_PATTERN,))]
    found = fused(frames)
    assert found is not None
    assert found.signs == (AttackSign.REGULAR_PATTERN, AttackSign.NETWORK)


def test_unusable_frames_count_only_if_there_is_no_other():
    small = LivenessEvidence(0.0, (AttackSign.FACE_TOO_SMALL,), is_usable=False)
    assert fused([small, small, LivenessEvidence(0.9)]) == LivenessEvidence(0.9)
    assert fused([small]) == small
    assert fused([]) is None
