"""Sign-in, permissions and encryption, with a real broker."""

import shutil
import subprocess

import pytest

from app.notify.mqtt.address import parse_broker
from app.notify.mqtt.client import BrokerConnection, BrokerFailure
from app.notify.mqtt.hosts import BrokerHosts
from app.notify.mqtt.topics import MqttMessage
from tests.mosquitto import DEADLINE_S, broker_in
from tests.remote.servers import contexts

MESSAGE = MqttMessage("arcid/events/test", b"{}")


LOCAL = BrokerHosts(["127.0.0.1", "localhost"])


@pytest.fixture
def connected(request):
    """Return a function that connects to a broker until the end of the test."""

    def connect(url, **options):
        connection = BrokerConnection(parse_broker(url), "arcid/status", LOCAL, mirror="arcid/last/+", **options)
        request.addfinalizer(connection.close)
        return connection

    return connect


@pytest.fixture
def guarded(tmp_path):
    """Run a broker on which the user `arcid` may publish below `arcid/events` and to `arcid/status` only."""
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto is not installed: .ci/install mosquitto")
    passwords, permissions = tmp_path / "passwords", tmp_path / "permissions"
    subprocess.run([program, "-b", "-c", passwords, "arcid", "p@ss/word"], check=True)
    permissions.write_text("user arcid\ntopic readwrite arcid/status\ntopic write arcid/events/#\n")
    settings = f"allow_anonymous false\npassword_file {passwords}\nacl_file {permissions}"
    with broker_in(tmp_path, settings) as broker:
        yield broker


def test_a_wrong_password_is_reported(guarded, connected):
    with pytest.raises(BrokerFailure, match="refused the connection: Not authorized"):
        connected(f"mqtt://arcid:wrong@127.0.0.1:{guarded.port}").publish([MESSAGE], 1)


def test_the_right_password_is_accepted(guarded, connected):
    connected(f"mqtt://arcid:p%40ss%2Fword@127.0.0.1:{guarded.port}").publish([MESSAGE], DEADLINE_S)


def test_a_refused_topic_is_reported_and_others_still_work(guarded, connected):
    connection = connected(f"mqtt://arcid:p%40ss%2Fword@127.0.0.1:{guarded.port}")
    with pytest.raises(BrokerFailure, match="refused a message: Not authorized"):
        connection.publish([MqttMessage("other", b""), MESSAGE], DEADLINE_S)
    connection.publish([MESSAGE], DEADLINE_S)


@pytest.mark.filterwarnings("ignore:unclosed .*SSLSocket:ResourceWarning")  # of paho-mqtt, after a failed handshake
def test_the_certificate_is_checked(tmp_path, connected):
    _, tls = contexts(tmp_path, "localhost")
    settings = f"allow_anonymous true\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem"
    with broker_in(tmp_path, settings) as broker:
        connected(f"mqtts://localhost:{broker.port}", tls=tls).publish([MESSAGE], DEADLINE_S)
        with pytest.raises(BrokerFailure, match=r"certificate|reached|answer"):
            connected(f"mqtts://localhost:{broker.port}").publish([MESSAGE], 1)
