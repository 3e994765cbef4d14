"""DNS rebinding: a name server with changing answers, real servers on all addresses, and the real fetcher.

It runs inside a network namespace. `python -m tests.remote.rebinding` prints the outcome and the connected addresses of
each URL as JSON.
"""

import asyncio
import json
import socket
import struct
import sys
from collections import Counter
from ipaddress import ip_address
from typing import Any

from app.errors import ArcidError
from app.remote.fetching import Fetcher, FetchLimits
from app.remote.urls import UrlRules

PUBLIC, PUBLIC_6 = "93.184.215.14", "2606:2800:21f:cb07::14"
SELF, CLOUD, INSIDE = "127.0.0.1", "169.254.169.254", "10.0.0.7"
A, AAAA, CNAME = 1, 28, 5
SERVER_FAILED, NO_SUCH_NAME = 2, 3


def flipping(count):
    """Return answers with a public address first and this machine afterwards."""
    return [(A, PUBLIC if count == 0 else SELF)]


NAMES: dict[str, Any] = {
    "public": [(A, PUBLIC)],
    "public6": [(AAAA, PUBLIC_6)],
    "flip": flipping,
    "flip-again": flipping,
    "mixed": [(A, PUBLIC), (A, SELF)],
    "mixed-last": [(A, f"93.184.216.{at}") for at in range(1, 60)] + [(A, SELF)],  # too many for UDP
    "mixed6": [(A, PUBLIC), (AAAA, "::1")],
    "chain": [(CNAME, "chain1"), (CNAME, "chain2"), (A, INSIDE)],
    "chain-public": [(CNAME, "chain1"), (A, PUBLIC)],
    "loop": [(CNAME, "loop")],
    "cloud": [(A, CLOUD)],
    "zero": [(A, "0.0.0.0")],  # noqa: S104 - an answer
    "mapped": [(AAAA, "::ffff:127.0.0.1")],
    "compatible": [(AAAA, "::127.0.0.1")],
    "nat64": [(AAAA, "64:ff9b::7f00:1")],
    "six-to-four": [(AAAA, "2002:7f00:1::1")],
    "unique-local": [(AAAA, "fd00::7")],
    "dead-first": [(A, "93.184.215.99"), (A, PUBLIC)],
    "failing": SERVER_FAILED,
    "nobody": NO_SUCH_NAME,
    "silent": None,
}
PAGES = {
    "/photo": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nphoto",
    "/self": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/photo\r\nContent-Length: 0\r\n\r\n",
    "/cloud": b"HTTP/1.1 307 Found\r\nLocation: //169.254.169.254/photo\r\nContent-Length: 0\r\n\r\n",
    "/flip": b"HTTP/1.1 301 Found\r\nLocation: http://flip-again.example/flip\r\nContent-Length: 0\r\n\r\n",
    "/loop": b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
    "/file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    "/heads": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (at, b"x" * 1000) for at in range(2000)),
    "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nphoto\r\n0\r\n\r\n",
    "/both": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nphoto",
    "/old": b"photo without a head",
    "/slow": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\np",
}
LITERALS = ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0", "localhost", "localhost.", "127.0.0.1.", "[::1]"]
LITERALS += ["[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[fe80::1%25lo]", "\u2460\u2461\u2466.0.0.1", "169.254.169.254"]
TARGETS = [
    *(f"http://{name}.example/photo" for name in NAMES),
    "http://flip.example/photo",  # once more
    *(f"http://public.example{path}" for path in PAGES),
    *(f"http://{host}/photo" for host in LITERALS),
]


class NameServer(asyncio.DatagramProtocol):
    """A name server for A and AAAA records of `NAMES` with a TTL of 0, over UDP and TCP."""

    def __init__(self):
        self._asked: Counter[tuple[str, int]] = Counter()

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, address):
        answer = self.answer(data)
        if answer is not None:
            cut = answer[:2] + struct.pack("!H", 0x8780) + answer[4:6] + bytes(6) + self._question(data)
            self._transport.sendto(answer if len(answer) <= 512 else cut, address)

    async def serve(self, reader, writer):
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        answer = self.answer(await reader.readexactly(length))
        if answer is not None:
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()
        writer.close()

    def answer(self, query):
        question = self._question(query)
        name, kind = _name(question), struct.unpack("!H", question[-4:-2])[0]
        result = NAMES.get(name.removesuffix(".example"), NO_SUCH_NAME)
        if result is None:
            return None
        if callable(result):
            result = result(self._asked[name, kind])
            self._asked[name, kind] += 1
        if isinstance(result, int):
            return query[:2] + struct.pack("!HHHHH", 0x8580 | result, 1, 0, 0, 0) + question
        records, owner = [], question[:-4]
        for each, value in result:
            if each == CNAME:
                target = _encoded(f"{value}.example")
                records.append(owner + struct.pack("!HHIH", CNAME, 1, 0, len(target)) + target)
                owner = target
            elif each == kind:
                packed = ip_address(value).packed
                records.append(owner + struct.pack("!HHIH", kind, 1, 0, len(packed)) + packed)
        return query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(records), 0, 0) + question + b"".join(records)

    def _question(self, query):
        end = query.index(b"\0", 12)
        return query[12 : end + 5]


def _name(question):
    labels, rest = [], question
    while rest[0]:
        labels.append(rest[1 : rest[0] + 1].decode())
        rest = rest[rest[0] + 1 :]
    return ".".join(labels).lower()


def _encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


async def outcomes():
    connected = []

    async def serve(reader, writer):
        connected.append(writer.get_extra_info("sockname")[0])
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split()[1].decode()
            writer.write(PAGES.get(path, PAGES["/photo"]))
            await writer.drain()
            if path == "/slow":
                await asyncio.sleep(5)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    names = NameServer()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: names, (SELF, 53))
    await asyncio.start_server(names.serve, SELF, 53)
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 - of the namespace
        await asyncio.start_server(serve, host, 80, family=family)
    rules = UrlRules.parse("*", "http", "80")
    fetcher = Fetcher(rules, FetchLimits(max_bytes=100_000, seconds=1.5, redirects=3, at_once=4))
    for url in TARGETS:
        connected.clear()
        try:
            outcome = (await fetcher.fetch(url, fetcher.deadline())).decode()
        except ArcidError as error:
            outcome = error.code
        yield url, outcome, list(connected)


async def main():
    sys.stdout.write(json.dumps([each async for each in outcomes()]))
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
