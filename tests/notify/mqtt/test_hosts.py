import pytest

from app.errors import UrlNotAllowed
from app.notify.mqtt.address import parse_broker
from app.notify.mqtt.hosts import BrokerHosts

NAMES = {"public.example": ["93.184.215.14"], "both.example": ["93.184.215.14", "10.0.0.1"], "mqtt.lan": ["10.0.0.2"]}


def hosts(*names):
    return BrokerHosts(names, lambda host, _: NAMES[host])


@pytest.mark.parametrize("url", ["mqtt://public.example", "mqtt://mqtt.lan", "mqtt://mqtt.lan.example"])
def test_a_broker_without_encryption_must_be_named(url):
    with pytest.raises(UrlNotAllowed, match="ARCID_DELIVERY__HOSTS"):
        hosts("*.home", "other.lan").require_allowed(parse_broker(url))


@pytest.mark.parametrize("name", ["mqtt.lan", "*.lan", "MQTT.lan"])
def test_a_named_broker_may_be_private_and_without_encryption(name):
    address = parse_broker("mqtt://Mqtt.lan")
    hosts(name).require_allowed(address)
    assert hosts(name).addresses(address) == ["10.0.0.2"]


def test_other_brokers_have_public_addresses_only():
    assert hosts().addresses(parse_broker("mqtts://public.example")) == ["93.184.215.14"]
    for name in ("both.example", "mqtt.lan"):
        with pytest.raises(OSError, match="not public"):
            hosts().addresses(parse_broker(f"mqtts://{name}"))


def test_a_name_is_resolved_by_the_system():
    assert set(BrokerHosts(["localhost"]).addresses(parse_broker("mqtt://localhost"))) <= {"127.0.0.1", "::1"}
