import pytest

from app.errors import RequestInvalid
from app.notify.mqtt.address import BrokerAddress, parse_broker


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", BrokerAddress("broker", 1883)),
        ("mqtts://broker", BrokerAddress("broker", 8883, is_encrypted=True)),
        ("mqtt://[::1]:1884/", BrokerAddress("::1", 1884)),
        (
            "mqtt://me:a%40b@broker/house/faces",
            BrokerAddress("broker", 1883, user="me", password="a@b", prefix="house/faces"),  # noqa: S106
        ),
        ("mqtt://broker?discovery=false", BrokerAddress("broker", 1883, discovery=None)),
        (
            "mqtt://broker?discovery=ha&protocol=3.1.1",
            BrokerAddress("broker", 1883, discovery="ha", is_version_5=False),
        ),
    ],
)
def test_urls_of_brokers(url, expected):
    assert parse_broker(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://broker",
        "mqtt://",
        "mqtt://broker:99999",
        "mqtt://broker:x",
        "mqtt://broker/a#b",
        "mqtt://broker/a/#",
        "mqtt://me:pa#ss@broker",
        "mqtt://broker/a/+/b",
        "mqtt://broker/%23",
        "mqtt://broker/" + "a" * 129,
        "mqtt://broker?retain=true",
        "mqtt://broker?protocol=4",
        "mqtt://broker?discovery=",
        "mqtt://broker?discovery",
    ],
)
def test_invalid_urls_are_refused(url):
    with pytest.raises(RequestInvalid, match="the address of the broker is not valid"):
        parse_broker(url)


def test_errors_and_representations_do_not_contain_the_password():
    with pytest.raises(RequestInvalid) as raised:
        parse_broker("mqtt://me:secret@broker?protocol=4")
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(parse_broker("mqtt://me:secret@broker"))
