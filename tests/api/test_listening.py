import socket

import pytest

from app.api.http.listening import address_of, bind
from app.errors import AddressUnusable


def test_a_free_port_is_bound_and_its_address_is_a_url():
    (listener,) = bind("127.0.0.1", 0)
    with listener:
        port = listener.getsockname()[1]
        assert address_of(listener) == f"http://localhost:{port}"
        with pytest.raises(ConnectionRefusedError):  # clients wait for the service, not in its queue
            socket.create_connection(("127.0.0.1", port))


def test_a_taken_port_is_refused_and_another_one_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressUnusable, match=rf"port {port} is taken .*--port \d+"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["203.0.113.9", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(AddressUnusable, match=f"'{host}' is not an address or name of this machine"):
        bind(host, 0)


def test_a_name_is_bound_at_each_of_its_addresses():
    listeners = bind("localhost", 0)
    assert listeners
    for each in listeners:
        assert each.getsockname()[0] in {"127.0.0.1", "::1"}
        each.close()
