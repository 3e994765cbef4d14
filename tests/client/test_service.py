"""The client with the real service."""

import asyncio
import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from arcid import (
    AsyncClient,
    ChallengeFrame,
    Client,
    Conflict,
    ConnectionFailed,
    Consent,
    Forbidden,
    JobFailed,
    NotFound,
    PreconditionFailed,
    ServerPath,
    Unprocessable,
)


def zipped(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in files.items():
            file.writestr(f"{name}/1.jpg", content)
    return data.getvalue()


def test_a_person_from_enrollment_to_receipt(service, portrait, faces_of):
    later = datetime.now(UTC) + timedelta(days=30)
    consent = Consent("contract", datetime(2026, 5, 4, 9, 30, tzinfo=UTC), reference="F-17")
    service.collections.create("people", require_consent=True, on_duplicate="reject")
    made = service.enroll(
        [portrait], identity_id="a/b export", name="Eileen", metadata={"n": 1}, consent=consent, expires_at=later,
        collection="people",
    )  # fmt: skip
    assert made.faces[0].quality.score > 0.3
    person = service.identities.get("a/b export", collection="people")
    assert (person.name, person.metadata, person.consent, person.expires_at) == ("Eileen", {"n": 1}, consent, later)
    assert person.first_faces[0].face_id == made.faces[0].face_id

    changed = service.identities.patch(
        "a/b export", collection="people", etag=person.etag, name=None, metadata={"n": 2}
    )
    assert (changed.name, changed.metadata, changed.consent) == (None, {"n": 2}, consent)
    assert changed.etag != person.etag
    with pytest.raises(PreconditionFailed):
        service.identities.patch("a/b export", collection="people", etag=person.etag, name="late")

    with pytest.raises(Conflict) as caught:
        service.enroll(portrait, identity_id="twin", consent=consent, collection="people")
    assert caught.value.duplicates[0].identity_id == "a/b export"
    with pytest.raises(Unprocessable) as refused:
        service.enroll(faces_of[0], identity_id="jim", collection="people")
    assert refused.value.code == "consent_missing"
    assert refused.value.request_id

    exported = service.identities.export("a/b export", collection="people")
    assert len(exported.faces[0].embedding or ()) == service.collections.get("people").dimension
    receipt = service.identities.delete("a/b export", collection="people")
    assert receipt.identity_removed
    assert receipt.faces == (made.faces[0].face_id,)
    with pytest.raises(NotFound):
        service.identities.delete("a/b export", collection="people")
    service.collections.delete("people")
    with pytest.raises(NotFound):
        service.collections.get("people")


@pytest.mark.parametrize("identity_id", ["...", "x/merge", "x/export", "é ?#%"])
def test_any_id_is_somebody(service, portrait, identity_id):
    service.enroll(portrait, identity_id=identity_id, collection="default", on_duplicate="allow")
    assert service.identities.get(identity_id).identity_id == identity_id
    assert service.identities.delete(identity_id).identity_removed
    assert service.collections.get("default").name == "default"


def test_recognition_and_faces(service, portrait, faces_of, faceless):
    for number, name in enumerate(("jim", "pam", "dwight")):
        service.enroll(faces_of[number], identity_id=name, name=name.title(), metadata={"floor": number})
    assert service.verify(faces_of[0], faces_of[0]).verdict == "match"
    assert service.verify(faces_of[0], identity_id="pam").verdict == "no_match"
    assert service.identify(faces_of[1], top_k=1).faces[0].candidates[0].name == "Pam"
    assert service.identify(faces_of[1], where={"floor": 0}, threshold=-1).faces[0].candidates[0].name == "Jim"
    assert service.identify(faceless).faces == ()
    assert len(service.detect(portrait).faces[0].landmarks) == 5
    embedded = service.embed(faces_of[2], flip=True)
    actual = service.search(embedded.faces[0].embedding, model=embedded.model, top_k=2)
    assert (actual.verdict, actual.candidates[0].identity_id) == ("match", "dwight")

    assert [each.identity_id for each in service.identities.iterate(limit=1)] == ["jim", "pam", "dwight"]
    first = service.identities.list(limit=2)
    assert [each.identity_id for each in service.identities.list(cursor=first.next_cursor).items] == ["dwight"]
    (face,) = service.faces.list(identity_id="pam").items
    assert face.embedding is None
    assert service.faces.get(face.face_id, embedding=True).embedding
    assert service.faces.move(face.face_id, identity_id="jim").identity_id == "jim"
    assert service.identities.merge("dwight", into="jim").faces == 3
    assert service.faces.delete(face.face_id).faces == (face.face_id,)
    assert len(list(service.faces.iterate(limit=1))) == 2
    health = service.collections.health()
    assert health.foreign_faces or health.identities == 1
    assert next(service.collections.iterate_health(limit=1)).identities == 1
    assert service.identities.delete("jim").status in {"complete", "pending"}


def test_how_the_service_stands(service):
    assert service.healthz().status == "ok"
    assert service.readyz().checks["index"].is_ready
    assert any(each.is_default for each in service.models().models)
    curve = service.calibration()
    assert curve.points[0].similarity < curve.points[-1].similarity
    assert curve.identification.threshold > 0
    overview = service.reembedding.show()
    assert overview.networks[0].is_own
    assert list(service.reembedding.iterate_without_crop()) == []
    assert service.reembedding.discard().discarded == 0
    with pytest.raises(Conflict, match="no_way_back"):
        service.reembedding.roll_back()


def test_jobs(service, faces_of, faceless, tmp_path):
    service.collections.create("staff", flip=False)
    operation = service.jobs.import_photos(zipped(jim=faces_of[0], pam=faces_of[1], none=faceless), collection="staff")
    moved: list[object] = []
    done = service.jobs.wait(operation.job_id, on_progress=moved.append, every_s=0.05, timeout_s=60)
    assert (done.result["enrolled"], done.errors) == (2, 1)
    assert moved[-1] == done
    assert [each.code for each in service.jobs.iterate_errors(operation.job_id)] == ["no_face"]
    with pytest.raises(Conflict, match="job_finished"):
        service.jobs.cancel(operation.job_id)

    exported = list(service.jobs.events(service.jobs.export(collection="staff").job_id))[-1]
    assert exported.is_final
    path = service.jobs.download(exported.job_id, tmp_path / "staff.zip")
    again = service.jobs.import_archive(path, collection="copy", new_face_ids=True)
    assert service.jobs.wait(again.job_id, every_s=0.05).result["faces"] == 2
    assert service.identify(faces_of[1], collection="copy").faces[0].candidates[0].identity_id == "pam"
    assert [each.job_id for each in service.jobs.iterate(collection="copy", state="succeeded")] == [again.job_id]
    with pytest.raises(NotFound, match="archive_unknown"):
        service.jobs.download(again.job_id, tmp_path / "nothing.zip")
    assert not (tmp_path / "nothing.zip").exists()
    with pytest.raises(Forbidden, match="import_folder_forbidden"):
        service.jobs.import_photos(ServerPath("x"))
    calibration = service.jobs.calibrate(collection="staff")
    with pytest.raises(JobFailed, match="calibration"):  # two people are not enough
        service.jobs.wait(calibration.job_id, every_s=0.05, timeout_s=20)


def test_a_repeated_enrollment_enrolls_once(service, portrait):
    made = [service.enroll(portrait, idempotency_key="once", on_duplicate="allow") for _ in range(2)]
    assert made[0] == made[1]
    assert service.identities.delete(made[0].identity_id).faces == (made[0].faces[0].face_id,)


def test_the_async_client_does_the_same(address, portrait, faces_of):
    async def all_of_it():
        async with AsyncClient(address) as client:
            await client.collections.create("async")
            await asyncio.gather(
                client.enroll(portrait, identity_id="eileen", collection="async"),
                client.enroll(faces_of[0], identity_id="jim", collection="async"),
            )
            names = {each.identity_id async for each in client.identities.iterate(collection="async", limit=1)}
            job = await client.jobs.export(collection="async")
            seen = [each async for each in client.jobs.events(job.job_id)]
            with pytest.raises(NotFound):
                await client.identities.get("nobody", collection="async")
            await client.collections.delete("async")
            return names, await client.jobs.wait(job.job_id), seen[-1]

    names, waited, followed = asyncio.run(all_of_it())
    assert names == {"eileen", "jim"}
    assert waited == followed


def test_nobody_answers_there():
    with Client("http://127.0.0.1:1", retries=0) as client, pytest.raises(ConnectionFailed, match="GET /healthz"):
        client.healthz()


def test_a_challenge_is_answered_once(service, faces_of, faceless):
    challenge = service.liveness.create()
    assert challenge.nonce not in repr(challenge)
    frames = [ChallengeFrame(faces_of[0], 0), ChallengeFrame(faceless, 400)]
    judged = service.liveness.answer(challenge, frames, identity_id="nobody")
    assert (judged.verdict, judged.reasons) == ("uncertain", ("prompt_not_followed",))
    assert [each.prompt for each in judged.prompts] == list(challenge.prompts)
    assert [each.code for each in judged.frames] == [None, "no_face"]
    assert (judged.best_frame, judged.verification) == (0, None)
    with pytest.raises(Conflict) as used:
        service.liveness.answer(challenge, frames)
    assert used.value.code == "challenge_used"
