"""The sockets of a service, bound before its networks are loaded, so that a taken port is reported at once."""

import errno
import socket
import sys
from collections.abc import Iterable

from app.errors import AddressUnusable


def bind(host: str, port: int) -> list[socket.socket]:
    """Return a bound socket for each address of a host name; an empty name means all addresses.

    Raises AddressUnusable if the port is taken, the host is not this machine, or the port needs privileges.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise AddressUnusable(f"{host!r} is not an address or name of this machine", str(error)) from error
    bound: list[socket.socket] = []
    failures: list[OSError] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            bound.append(_bound(socket.socket(family, kind, protocol), address))
        except OSError as error:
            failures.append(error)
    is_taken = any(error.errno == errno.EADDRINUSE for error in failures)
    if bound and not is_taken:  # a name may have an address that this machine lacks, such as ::1
        return bound
    close(bound)
    raise _explained(host, port, failures[0])


def close(listeners: Iterable[socket.socket]) -> None:
    """Close sockets; those of a server that has stopped are closed already."""
    for each in listeners:
        each.close()


def _bound(made: socket.socket, address: tuple[object, ...]) -> socket.socket:
    try:
        if sys.platform != "win32":  # elsewhere it would let two programs share the port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _explained(host: str, port: int, error: OSError) -> AddressUnusable:
    if error.errno == errno.EADDRINUSE:
        free = port + 1 if port < 65535 else 8000
        return AddressUnusable(f"port {port} is taken by another program; choose another one, such as --port {free}")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return AddressUnusable(f"port {port} needs privileges; choose one from 1024, such as --port 8000", str(error))
    return AddressUnusable(f"{host!r} is not an address or name of this machine", str(error))


def address_of(listener: socket.socket) -> str:
    """Return the URL at which this machine reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::", "127.0.0.1", "::1"}:  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
