import socket
import time

import httpx2
import pytest

from app.cli.demo import serving


def test_a_given_request_id_comes_back(client):
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1.2_3"}).headers["x-request-id"] == "abc-1.2_3"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>"])
def test_an_unusable_request_id_is_replaced(client, given):
    answered = client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"]
    assert answered != given
    assert len(answered) == 32


def test_each_request_has_an_id_of_its_own(client):
    assert client.get("/healthz").headers["x-request-id"] != client.get("/healthz").headers["x-request-id"]


def test_a_client_that_leaves_in_mid_body_is_no_failure(settings, capfd):
    with serving(settings, port=0) as address:
        host, port = address.removeprefix("http://").split(":")
        for content_type in ("application/json", "multipart/form-data; boundary=b"):
            with socket.create_connection((host, int(port))) as leaving:
                head = "POST /identify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n"
                head += f"Content-Type: {content_type}\r\n\r\n"
                leaving.sendall(head.encode() + b"{")
                time.sleep(0.2)
        time.sleep(0.2)
        assert httpx2.get(f"{address}/healthz").status_code == 200
    assert "Traceback" not in capfd.readouterr().err
