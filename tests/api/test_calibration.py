import pytest

from tests.api.test_errors import expect


@pytest.fixture
def curve(client):
    return client.get("/calibration").json()


def test_the_curve_falls_from_all_to_almost_none(curve):
    points = curve["points"]
    assert [points[0]["similarity"], points[-1]["similarity"]] == [-0.2, 1.0]
    for rate in ("fmr", "fpir"):
        rates = [each[rate] for each in points]
        assert rates == sorted(rates, reverse=True)
        assert all(1e-7 <= each <= 1 for each in rates)
        for each in points:
            low, high = each[f"{rate}_range"]
            assert 0 <= low <= each[rate] <= high <= 1
    assert points[0]["fmr"] > 0.8
    assert (points[-1]["fmr"], points[-1]["fmr_range"]) == (1e-7, [0, 1e-7])


def test_a_larger_gallery_moves_what_its_size_decides(client, curve, faces_of):
    assert (curve["identities"], curve["collection"]) == (0, "default")
    for at, face in enumerate(faces_of):
        files = {"photos": face}
        client.post("/enroll", files=files, data={"identity_id": str(at)}).raise_for_status()
    larger = client.get("/calibration").json()
    assert (larger["identities"], larger["faces"]) == (6, 6)
    assert larger["identification"]["threshold"] > curve["identification"]["threshold"]
    assert larger["verification"] == curve["verification"]
    at = [each["similarity"] for each in curve["points"]].index(0.4)
    assert larger["points"][at]["fpir"] == pytest.approx(6 * larger["points"][at]["fmr"], rel=0.01)
    assert [each["fmr"] for each in larger["points"]] == [each["fmr"] for each in curve["points"]]


def test_the_curve_agrees_with_what_identify_says(client, faces_of):
    curve = client.get("/calibration").json()
    answer = client.post("/identify", files={"photo": faces_of[1]}).json()
    assert answer["threshold"] == curve["identification"]["threshold"]
    stranger = answer["faces"][0]["candidates"][1]
    below, above = (
        next(each for each in points if (each["similarity"] - stranger["similarity"]) * sign >= 0)
        for points, sign in ((curve["points"][::-1], -1), (curve["points"], 1))
    )
    assert above["fpir"] <= stranger["fpir"] <= below["fpir"]


def test_a_collection_that_is_not_there(client):
    expect(client.get("/calibration?collection=nowhere"), 404, "collection_unknown")
    expect(client.get("/calibration?collection=%20"), 422, "request_invalid")


def test_a_collections_own_threshold_is_its_rule(client):
    made = client.post("/collections", json={"name": "fixed", "threshold": 0.61})
    made.raise_for_status()
    rule = client.get("/calibration?collection=fixed").json()["identification"]
    assert rule == {"threshold": 0.61, "doubt_from": 0.61, "doubt_to": 0.61}
