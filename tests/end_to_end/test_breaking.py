import gc
import socket

from tests.end_to_end.breaking import breaking


def test_connections_of_the_last_moment_are_closed(recwarn):
    with socket.create_server(("127.0.0.1", 0)) as target:
        for _ in range(5):
            with breaking(target.getsockname()[1]) as (port, _proxy):
                clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
            for each in clients:
                each.close()
        gc.collect()  # a socket that was left open warns, and a warning is an error
    assert not recwarn.list
