from app.recognition.liveness.decisions import LivenessVerdict
from app.recognition.liveness.record import LivenessCount, LivenessLog, LivenessRecord
from app.statistics.counts import Operation
from app.types import LivenessMode

LIVE = LivenessCount(Operation.VERIFY, LivenessMode.OBSERVE, LivenessVerdict.LIVE)


def test_faces_are_counted_by_operation_mode_and_verdict():
    log = LivenessLog()
    for mode in (LivenessMode.OBSERVE, LivenessMode.OBSERVE, LivenessMode.ENFORCE):
        LivenessRecord(log, Operation.VERIFY, "people").count(mode, LivenessVerdict.LIVE)
    assert log.counts() == {LIVE: 2, LivenessCount(Operation.VERIFY, LivenessMode.ENFORCE, LivenessVerdict.LIVE): 1}


def test_refused_faces_are_noted_with_their_collection():
    lines: list[tuple[str, str, int]] = []
    log = LivenessLog(lambda *line: lines.append(line))
    LivenessRecord(log, Operation.IDENTIFY, "people").note_refused(2)
    LivenessRecord(log, Operation.DETECT, None).note_refused(1)
    LivenessRecord(LivenessLog(), Operation.IDENTIFY, "people").note_refused(2)
    assert lines == [("people", "identify", 2)]
