import re

from prometheus_client.parser import text_string_to_metric_families

from app.config import PROJECT


def scraped(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def test_requests_stages_and_verdicts_are_counted(client, portrait, faceless):
    fields = {"identity_id": "secret-id", "name": "Secret Name"}
    assert client.post("/enroll", files={"photos": portrait}, data=fields).status_code == 200
    assert client.post("/identify", files={"photo": portrait}).status_code == 200
    assert client.post("/identify", files={"photo": faceless}).status_code == 200
    body = {"probe": portrait, "reference": portrait}
    assert client.post("/verify", files=body).status_code == 200
    assert client.delete("/collections/default/faces/nobody").status_code == 404
    assert client.get("/wp-admin/secret").status_code == 404
    found = scraped(client)

    def value(name, **labels):
        return found[name, tuple(sorted(labels.items()))]

    assert value("arcid_requests_total", method="POST", route="/identify", status="200") == 2
    assert value("arcid_request_seconds_count", method="POST", route="/identify") == 2
    face = "/collections/{collection}/faces/{face_id}"
    assert value("arcid_requests_total", method="DELETE", route=face, status="404") == 1
    assert value("arcid_requests_total", method="GET", route="other", status="404") == 1
    assert value("arcid_problems_total", code="face_unknown") == 1
    assert value("arcid_stage_seconds_count", stage="embed") == 3  # in the photo without faces nothing is embedded
    assert value("arcid_wait_seconds_count") == 5
    assert value("arcid_verdicts_total", operation="identify", verdict="match") == 1
    assert value("arcid_verdicts_total", operation="verify", verdict="match") == 1
    assert (value("arcid_faces_per_photo_bucket", le="0.0"), value("arcid_faces_per_photo_count")) == (1, 2)
    assert value("arcid_index_faces", collection="default", kind="exact") == 1
    assert value("arcid_index_lag_seconds", collection="default") == 0
    assert value("arcid_work_running") == value("arcid_work_waiting") == value("arcid_body_bytes") == 0
    assert value("arcid_database_up") == 1
    assert "secret" not in str(found).lower()


def test_every_metric_is_documented(client):
    documented = set(re.findall(r"`(arcid_\w+)`", (PROJECT / "docs" / "operations.md").read_text("utf-8")))
    found = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _ in scraped(client) if not name.endswith("_created")}
    assert found <= documented
