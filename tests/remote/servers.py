"""HTTP and HTTPS servers on loopback, and a fetcher that treats 127.0.0.1 as public.

127.0.0.2 plays a private address: a server listens there too, and the fetcher must never connect to it.
"""

import asyncio
import datetime as dt
import ssl
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.remote.fetching import Fetcher, FetchLimits
from app.remote.urls import UrlRules
from tests.accepting import stop_accepting

PUBLIC, PRIVATE = "127.0.0.1", "127.0.0.2"


@dataclass
class Site:
    """A server with `pages`: path -> bytes, or a coroutine function of reader and writer."""

    pages: dict[str, Any]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    names: list[str | None] = field(default_factory=list)
    """Server names requested by TLS clients (SNI)."""

    serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader, writer):
        task = asyncio.create_task(self.answer(reader, writer))
        self.serving.add(task)
        with suppress(asyncio.CancelledError):
            await task

    async def end(self):
        for each in self.serving:
            each.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)

    async def answer(self, reader, writer):
        try:
            await self.converse(reader, writer)
        finally:
            writer.transport.abort()

    async def converse(self, reader, writer):
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            page = self.pages[head.split()[1].decode()]
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(reader, writer)
            writer.close()
            await writer.wait_closed()


def page(body=b"photo", status="200 OK", **headers):
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "content_length" not in headers and "transfer_encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


def redirect(location, status="302 Found"):
    return page(b"", status, Location=location)


@asynccontextmanager
async def site_at(address, pages=None, tls=None, port=0):
    site = Site(pages or {})
    if tls is not None:
        tls.sni_callback = lambda _, name, __: site.names.append(name)
    server = await asyncio.start_server(site.serve, address, port, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        await stop_accepting(server)
        server.close()
        await site.end()
        await server.wait_closed()
        await asyncio.sleep(0)


class Names:
    """A fake resolver: each lookup of a host returns its next answer; the last one is repeated."""

    def __init__(self, **hosts):
        self.hosts = {host.replace("_", "."): list(answers) for host, answers in hosts.items()}
        self.asked: list[str] = []

    async def __call__(self, host, _):
        self.asked.append(host)
        answers = self.hosts.get(host)
        if not answers:
            raise OSError("no such host")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@asynccontextmanager
async def internet(pages, names=None, tls=None, **bounds):
    """Yield a fetcher, the public site, the private one on the same port, and the name server."""
    names = names or Names(photos_example=[[PUBLIC]])
    client = None
    async with AsyncExitStack() as stack:
        server = None
        if tls is not None:
            server, client = tls
        public = await stack.enter_async_context(site_at(PUBLIC, pages, server))
        private = await stack.enter_async_context(site_at(PRIVATE, {}, None, public.port))
        rules = UrlRules.parse("photos.example,*.photos.example,127.0.0.1,127.0.0.2", "http,https", str(public.port))
        limits = {"max_bytes": 100_000, "seconds": 2.0, "redirects": 3, "at_once": 4} | bounds
        fetcher = Fetcher(
            rules, FetchLimits(**limits), resolve=names, is_allowed=lambda address: address == PUBLIC, tls=client
        )
        try:
            yield fetcher, public, private, names
        finally:
            assert private.connections == 0


def contexts(folder, name="photos.example"):
    """Return the TLS contexts of a server with a certificate for `name`, and of a client that trusts only its CA."""
    now = dt.datetime.now(dt.UTC)

    def certificate(subject, key, issuer, issuer_key, *, is_ca):
        made = x509.CertificateBuilder(
            issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
            subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - dt.timedelta(days=1),
            not_valid_after=now + dt.timedelta(days=1),
        ).add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        if not is_ca:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
        return made.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate("ca", authority_key, "ca", authority_key, is_ca=True)
    (folder / "cert.pem").write_bytes(certificate(name, key, "ca", authority_key, is_ca=False))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cadata=authority.decode())
