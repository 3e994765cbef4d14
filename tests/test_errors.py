"""The error tree: its codes, the picture of it in the module's docstring, and the style of its messages."""

import ast
import importlib
import re
from pathlib import Path

from app import errors
from app.errors import ArcidError

APP = Path(errors.__file__).parent.parent
SUBJECTS = (
    *("photos", "networks", "requests", "gallery", "access", "liveness", "rules", "cameras"),
    *("storage", "jobs", "delivery", "commands"),
)
CAPITALISED = {"InsightFace's"}
CODES = """
address_unusable archive_damaged archive_invalid archive_too_new archive_unavailable archive_unknown
attribute_disabled attributes_unsupported backup_impossible backup_unknown body_empty body_malformed body_too_large
body_too_slow calibration_invalid calibration_missing calibration_too_small camera_exists camera_takes_no_frames
camera_unknown camera_unreachable camera_url_not_allowed challenge_expired challenge_unknown challenge_used
checkpoint_mismatch collection_exists collection_forbidden collection_not_empty collection_switched collection_unknown
consent_missing content_encoding_unsupported content_type_unsupported database_in_use database_not_writable
database_unavailable deadline_exceeded demo_photo_missing destination_disabled destination_unknown duplicate_identity
encoding_unknown encryption_required evaluation_invalid event_image_unknown export_gone face_exists face_image_unknown
face_mismatch face_unknown file_unusable first_key_forbidden frames_invalid frames_replayed grant_forbidden
group_unknown host_forbidden idempotency_conflict identity_erased identity_exists identity_unknown image_damaged
image_too_costly image_unsupported import_folder_forbidden import_invalid index_unavailable index_unusable
item_invalid job_cancelled job_finished job_interrupted job_under_way job_unfinished job_unknown key_exists
key_invalid key_missing key_unknown keys_required last_admin_key licence_not_accepted liveness_forbidden
liveness_unavailable low_quality manifest_invalid master_key_invalid master_key_missing master_key_wrong
model_mismatch network_corrupt network_invalid network_missing no_face no_way_back not_an_image nothing_enrolled
open_id_unavailable origin_forbidden overloaded pack_unknown photos_damaged plain_index_refused precondition_failed
presentation_attack provider_unavailable quota_exceeded rate_exceeded rates_unavailable report_unavailable
request_invalid review_closed review_unknown reviewer_repeated rule_unknown schema_outdated scope_missing seal_broken
service_refused service_unreachable session_unknown settings_invalid several_faces shutting_down sign_in_disabled
sign_in_refused sorting_invalid storage_not_writable templates_missing too_many_bytes too_many_cameras
too_many_destinations too_many_pixels tracing_unavailable trail_broken training_diverged training_invalid
training_unavailable tus_version_unsupported unknown_faces_off upload_conflict upload_too_large upload_unfinished
upload_unknown url_not_allowed url_unreachable urls_disabled video_unavailable where_forbidden
"""


def classes(of=ArcidError):
    for each in of.__subclasses__():
        if each.__module__.startswith("app."):
            yield each
            yield from classes(each)


def tree():
    """Print the tree as the docstring of `app.errors` does."""
    lines = ["ArcidError"]

    def add(parent, module, indent):
        for each in vars(module).values():
            if isinstance(each, type) and parent in each.__bases__ and each.__module__ == module.__name__:
                lines.append(f"{indent}* {each.__name__}")
                add(each, module, f"{indent}  ")

    for subject in SUBJECTS:
        lines.append(f"  {subject}")
        add(ArcidError, importlib.import_module(f"app.errors.{subject}"), "    ")
    return "\n".join(lines)


def test_the_docstring_prints_the_tree():
    assert tree() in errors.__doc__


def test_every_class_is_in_the_tree_and_can_be_imported_from_it():
    for each in classes():
        assert getattr(errors, each.__name__) is each


def test_codes_are_what_they_were():
    """A code is part of the API: a renamed class must not change it."""
    codes = sorted({each.code for each in classes()} - {ArcidError.code})
    assert codes == CODES.split()


def test_groups_have_no_code_of_their_own():
    assert {each.__name__ for each in classes() if "code" not in vars(each)} == {
        "ArchiveRefused",
        "DataKeyGone",
        "DatabaseError",
        "EncryptionError",
        "NetworkError",
        "PhotoRefused",
        "TrainingError",
    }


def raised():
    """Yield the literal texts with which errors are made anywhere: (place, text)."""
    names = {each.__name__ for each in classes()}
    for path in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                for text in node.args[:1]:
                    if isinstance(text, ast.Constant | ast.JoinedStr):
                        parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                        words = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
                        yield f"{path.name}:{node.lineno}", words


def test_messages_begin_in_lower_case_and_end_without_a_full_stop():
    texts = dict(raised())
    assert len(texts) > 300
    firsts = {place: text.split(maxsplit=1)[0] for place, text in texts.items()}
    is_word = re.compile(r"[A-Z][a-z']*").fullmatch
    assert {place: first for place, first in firsts.items() if is_word(first) and first not in CAPITALISED} == {}
    assert {place: text for place, text in texts.items() if text.endswith(".")} == {}
