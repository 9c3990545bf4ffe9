"""The only place that makes an HTTP call, with the guard that looks at every address before it connects.

A guarded call resolves the name once, refuses when any address is not a public one, and connects to an address
it has looked at: a name that answers differently the second time changes nothing. Redirects are never followed,
because the next address would come from the answer and the credentials would travel along.
"""

import asyncio
import ipaddress
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import httpcore
import httpx

from connector import failpoints
from connector.core.http_values import OutgoingRequest, Reply
from connector.errors import AddressRefused, SendFailed

__all__ = ["MAX_ANSWER_BYTES", "Outbound", "Resolver", "is_public_address", "resolve", "send_now"]

MAX_ANSWER_BYTES = 1024 * 1024
_CONNECTIONS_EACH = 8  # of one client
Resolver = Callable[[str, int], Awaitable[list[str]]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IPv6 forms that carry an IPv4 address in their last 32 bits: the connection ends there.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")
# Beyond what `ipaddress` calls non-global: Azure's host agent, protocol assignments (a metadata service lives there),
# the old 6to4 relays, site-local, local NAT64.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "64:ff9b:1::/48")
)
_DEFAULT_HEADERS = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "pixel-connector"}

# From what the client raises to our word, first match counts. Texts of the client name hosts and ports only,
# but are not passed on either: a proxy's or a server's own words may stand in them.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "connect"),
    (httpx.TimeoutException, "timeout"),
    (TimeoutError, "timeout"),
    (httpx.ConnectError, "connect"),
    (httpx.ReadError, "closed"),
    (httpx.WriteError, "closed"),
    (httpx.CloseError, "closed"),
    (httpx.HTTPError, "protocol"),
    (httpx.InvalidURL, "protocol"),
    (ValueError, "protocol"),  # a header that is not ASCII, a URL without a host
)


def is_public_address(text: str) -> bool:
    """Whether this IP address may be called. What is not understood is not public."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_is_public(each) for each in (address, *_embedded(address)))


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address in _NAT64):
        return True  # only a wrapper: what it carries is judged
    listed = any(address.version == network.version and address in network for network in _NOT_PUBLIC)
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not listed and not special and not address.is_link_local


def _embedded(address: _Address) -> Iterable[_Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    found: list[ipaddress.IPv4Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, as the system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves, looks, and connects to an address that it has looked at."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is the library's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._vetted(host, port)
        for address in addresses[:-1]:
            try:
                return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._sockets.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def _vetted(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the name does not resolve") from None
        if not addresses or not all(is_public_address(address) for address in addresses):
            raise AddressRefused("the address is private, local or reserved")
        return addresses

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is the library's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefused("a local socket is no address of a store")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Clients:
    """As many clients as there is need for, each with a few connections.

    The library looks at every connection of a pool before and after each call: with 64 in one pool that was half of
    the time of a worker with many small stores (measured, `make bench`).
    """

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, certificates: ssl.SSLContext, max_connections: int
    ) -> None:
        self._backend = backend
        self._certificates = certificates
        self._most = max(max_connections // _CONNECTIONS_EACH, 1)
        self._connections = min(max_connections, _CONNECTIONS_EACH)
        self._clients: list[httpx.AsyncClient] = []
        self._calls: list[int] = []  # in progress, by client

    @contextmanager
    def one(self) -> Iterator[httpx.AsyncClient]:
        """The first that has a connection free, so that in quiet times the same ones stay warm."""
        number = self._place()
        self._calls[number] += 1
        try:
            yield self._clients[number]
        finally:
            self._calls[number] -= 1

    def _place(self) -> int:
        for number, calls in enumerate(self._calls):
            if calls < self._connections:
                return number
        if len(self._clients) < self._most:
            self._clients.append(_client(self._backend, self._certificates, self._connections))
            self._calls.append(0)
            return len(self._clients) - 1
        return min(range(len(self._calls)), key=self._calls.__getitem__)  # waits there for a connection

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients:
            await client.aclose()


class Outbound:
    """Makes calls; one per event loop. Keeps connections alive, guarded and unguarded ones apart.

    `allow_private` switches the guard off, for tests and development. `resolver` replaces the system's.
    """

    def __init__(
        self, *, allow_private: bool = False, resolver: Resolver = resolve, max_connections: int = 64
    ) -> None:
        certificates = httpx.create_ssl_context()
        plain = _Clients(httpcore.AnyIOBackend(), certificates, max_connections)
        self._operators = plain
        guard = _GuardedBackend(resolver)
        self._guarded = plain if allow_private else _Clients(guard, certificates, max_connections)

    async def send(
        self,
        request: OutgoingRequest,
        *,
        timeout_seconds: float = 20.0,
        guarded: bool = True,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> Reply:
        """Make one call. `timeout_seconds` is for all of it, from the name to the last byte.

        `guarded=False` is for addresses that the operator configured. Any HTTP status is an answer, redirects too.
        Raises SendFailed when no usable answer came, AddressRefused before anything is sent.
        """
        clients = self._guarded if guarded else self._operators
        try:
            async with asyncio.timeout(timeout_seconds):
                with clients.one() as client:
                    return await _exchange(client, request, max_answer_bytes)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, OSError) as error:
            raise SendFailed(_reason(error)) from None

    async def close(self) -> None:
        """Close every connection."""
        await self._operators.close()
        await self._guarded.close()

    async def __aenter__(self) -> "Outbound":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def send_now(
    request: OutgoingRequest,
    *,
    timeout_seconds: float = 20.0,
    guarded: bool = True,
    allow_private: bool = False,
    max_answer_bytes: int = MAX_ANSWER_BYTES,
) -> Reply:
    """One call from a place without an event loop: a command. Raises what `Outbound.send` raises."""

    async def once() -> Reply:
        async with Outbound(allow_private=allow_private) as outbound:
            return await outbound.send(
                request, timeout_seconds=timeout_seconds, guarded=guarded, max_answer_bytes=max_answer_bytes
            )

    return asyncio.run(once())


def _client(
    backend: httpcore.AsyncNetworkBackend, certificates: ssl.SSLContext, max_connections: int
) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(verify=certificates)
    # httpx offers no argument for the network backend; its transport is a thin cover over this pool.
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=certificates,
        max_connections=max_connections,
        max_keepalive_connections=max_connections,
        keepalive_expiry=30.0,
        network_backend=backend,
    )
    # A proxy of the environment would connect to whatever it is told, past the guard.
    return httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=None)  # noqa: S113


async def _exchange(client: httpx.AsyncClient, request: OutgoingRequest, limit: int) -> Reply:
    named = {**_DEFAULT_HEADERS, **{name.lower(): value for name, value in request.headers.items()}}
    # As bytes: httpx takes ASCII only, and a token that was pasted wrong must be refused by whom it is for.
    headers = [(name.encode(), value.encode()) for name, value in named.items()]
    watched = {"trace": _written} if failpoints.armed() else None
    call = httpx.Request(
        request.method, request.url, headers=headers, content=request.body or None, extensions=watched
    )
    reply = await client.send(call, stream=True, auth=None)
    try:
        body = bytearray()
        async for chunk in reply.aiter_raw():
            body += chunk
            if len(body) > limit:
                raise SendFailed("too_large")
    finally:
        await reply.aclose()
    names = {name.lower(): value for name, value in reply.headers.items()}
    return Reply(reply.status_code, names, _decoded(bytes(body), names.get("content-encoding", ""), limit))


async def _written(step: str, _details: dict[str, Any]) -> None:
    if step.endswith(".send_request_body.complete"):
        failpoints.reach("after_send")


def _decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Some servers compress though nobody asked. Never more than `limit` bytes come out."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    opener = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = opener.decompress(body, limit + 1)
    except zlib.error:
        raise SendFailed("protocol") from None
    if len(plain) > limit:
        raise SendFailed("too_large")
    return plain


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" in str(error):
        return "closed"
    return next((word for kind, word in _REASONS if isinstance(error, kind)), "connect")
