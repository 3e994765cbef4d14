"""Rates and quotas at the door: a request too many is refused before its body is read."""

import asyncio
import json
import re
import time
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from app.access.keys import Principal, Scope
from app.access.rates import UNLIMITED, Rate
from app.api.http.rates import client as account_of
from app.errors import KeyInvalid
from app.main import create_app
from tests.api.fakes import Identifying, ask, request, services_of, serving, settings_of
from tests.redis import redis_url

PHOTO = {"photo": "A" * 32}


class Keys:
    """Access with keys of any rates: a request's key is its name in `principals`."""

    def __init__(self, **limits):
        self.principals = {
            name: Principal(name, frozenset(Scope), None, uuid4().hex[:8], *each) for name, each in limits.items()
        }

    def needs_refresh(self, _):
        return False

    def principal(self, secret):
        if secret not in self.principals:
            raise KeyInvalid("the API key is not known")
        return self.principals[secret]


def client_of(keys=None, **rates):
    services = services_of(Identifying())
    if keys is not None:
        services.access = keys
    app = create_app(settings_of(rates=rates), services)
    return TestClient(app, raise_server_exceptions=False)


def statuses(client, times, key=None, path="/identify"):
    headers = {"X-Api-Key": key} if key else {}
    return [client.post(path, json=PHOTO, headers=headers).status_code for _ in range(times)]


def test_nothing_is_limited_or_announced_by_itself():
    with client_of() as client:
        answer = client.post("/identify", json=PHOTO)
        assert "ratelimit" not in answer.headers
        assert statuses(client, 100) == [200] * 100


def test_one_too_many_is_told_when_to_come_again():
    with client_of(anonymous="2/hour") as client:
        answers = [client.post("/identify", json=PHOTO) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    problem = answers[2].json()
    assert (problem["code"], problem["status"], problem["type"]) == (
        "rate_exceeded",
        429,
        "urn:arcid:error:rate_exceeded",
    )
    assert answers[2].headers["content-type"] == "application/problem+json"
    wait = int(answers[2].headers["retry-after"])
    assert 0 < wait <= 3601
    assert f"in {wait} seconds" in problem["detail"]
    assert answers[2].headers["ratelimit"] == f'"anonymous";r=0;t={wait}'
    assert all(each.headers["ratelimit-policy"] == '"anonymous";q=2;w=3600' for each in answers)
    assert re.fullmatch(r'"anonymous";r=1;t=\d+', answers[0].headers["ratelimit"])
    assert answers[2].headers["x-request-id"]


def test_a_key_has_its_own_rate_and_quota():
    keys = Keys(usual=(), slow=(Rate(1, 3600),), frugal=(None, Rate(2, 86_400)), free=(UNLIMITED, UNLIMITED))
    with client_of(keys, key="4/hour", quota="100/day") as client:
        assert statuses(client, 5, "usual") == [200] * 4 + [429]
        assert statuses(client, 2, "slow") == [200, 429]
        assert statuses(client, 3, "frugal") == [200, 200, 429]
        assert statuses(client, 20, "free") == [200] * 20
        refused = client.post("/identify", json=PHOTO, headers={"X-Api-Key": "frugal"})
        assert refused.json()["code"] == "quota_exceeded"
        assert refused.headers["ratelimit-policy"] == '"key";q=4;w=3600, "quota";q=2;w=86400'
        metrics = client.get("/metrics", headers={"X-Api-Key": "free"}).text
    assert 'arcid_rates_refused_total{limit="key"} 2.0' in metrics
    assert 'arcid_rates_refused_total{limit="quota"} 2.0' in metrics
    assert 'arcid_problems_total{code="quota_exceeded"} 2.0' in metrics


def test_every_route_counts_and_whether_it_is_there_or_not():
    with client_of(Keys(a=(Rate(3, 3600),))) as client:
        codes = [
            client.get(path, headers={"X-Api-Key": "a"}).status_code for path in ("/metrics", "/nothing", "/x", "/y")
        ]
    assert codes == [200, 404, 404, 429]


def test_status_is_never_limited():
    with client_of(anonymous="1/hour") as client:
        statuses(client, 2)
        for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
            for _ in range(5):
                answer = client.get(path)
                assert answer.status_code == 200
                assert "ratelimit" not in answer.headers


def test_wrong_keys_are_refused_faster_and_good_ones_served_from_the_same_address():
    with client_of(Keys(good=()), failures="3/hour") as client:
        assert statuses(client, 6, "guess") == [401] * 3 + [429] * 3
        assert statuses(client, 3, "good") == [200] * 3
        refused = client.post("/identify", json=PHOTO, headers={"X-Api-Key": "other guess"})
        assert refused.json()["code"] == "rate_exceeded"
        assert int(refused.headers["retry-after"]) > 0
        metrics = client.get("/metrics", headers={"X-Api-Key": "good"}).text
    assert 'arcid_rates_refused_total{limit="failures"} 4.0' in metrics


def test_wrong_keys_are_limited_by_default():
    with client_of(Keys()) as client:
        assert statuses(client, 61, "guess") == [401] * 60 + [429]


def test_two_applications_share_a_rate():
    keys = Keys(a=(Rate(5, 3600),))
    with client_of(keys, storage=redis_url()) as one, client_of(keys, storage=redis_url()) as other:
        assert statuses(one, 3, "a") == [200] * 3
        assert statuses(other, 3, "a") == [200, 200, 429]
        assert statuses(one, 2, "a") == [429] * 2


@pytest.mark.parametrize(("when_away", "expected"), [("serve", [200, 200, 429]), ("refuse", [503, 503, 503])])
def test_without_redis_as_the_setting_says(when_away, expected):
    with client_of(anonymous="2/hour", storage="redis://127.0.0.1:1", when_away=when_away) as client:
        assert statuses(client, 3) == expected
        assert client.get("/readyz").status_code == 200
        answer = client.get("/metrics")
        if when_away == "serve":
            assert answer.status_code == 429
        else:
            assert (answer.json()["code"], answer.headers["retry-after"]) == ("rates_unavailable", "5")


def test_the_metric_counts_what_redis_could_not():
    with client_of(anonymous="9/hour", storage="redis://127.0.0.1:1") as client:
        statuses(client, 3)
        assert "arcid_rates_uncounted_total 4.0" in client.get("/metrics").text


def test_it_is_refused_before_a_byte_of_the_body_is_read():
    identifying = Identifying()
    with serving(identifying, rates={"anonymous": "1/hour"}) as port:

        async def run():
            assert (await ask(port))[0] == 200
            started = time.monotonic()
            unread = b"POST /identify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\r\n"
            status, headers, body = await ask(port, unread)
            assert (status, json.loads(body)["code"]) == (429, "rate_exceeded")
            assert int(headers["retry-after"]) > 0
            assert time.monotonic() - started < 2
            assert (await ask(port, request("GET", "/healthz")))[0] == 200

        asyncio.run(run())
    assert identifying.seen == 1


@pytest.mark.parametrize(
    ("given", "account"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5), "fe80::/64"),
        (("testclient", 5), "testclient"),
        (None, "unknown"),
    ],
)
def test_on_whose_account(given, account):
    assert account_of({"client": given}) == account


def test_a_wrong_address_of_redis_stops_the_start():
    with pytest.raises(Exception, match="ARCID_RATES__STORAGE"):
        create_app(settings_of(rates={"storage": "nonsense"}))
