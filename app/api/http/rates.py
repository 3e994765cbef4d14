"""Rate limits of requests, and the RateLimit headers of their answers."""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from app.access.keys import Principal
from app.access.limiter import Limiter
from app.access.rates import UNLIMITED, Allowance, Rate, RateLimitStatus
from app.errors import QuotaExceeded, RateExceeded, RequestInvalid

_SITE_BITS = 64  # of an IPv6 address: the smallest network that one customer gets, and can use address by address


@dataclass(frozen=True, slots=True)
class UsualRates:
    """Default rates: for keys without individual rates, and for callers without a key."""

    key: Rate = UNLIMITED
    quota: Rate = UNLIMITED
    anonymous: Rate = UNLIMITED
    failures: Rate = UNLIMITED
    search: Rate = UNLIMITED


class Rates:
    """Counter of requests: each counts once, before its body is read; refused ones do not count."""

    def __init__(self, limiter: Limiter, usual: UsualRates, refused: Callable[[str], None] = lambda _: None) -> None:
        """`refused` receives the name of a limit that refuses: key, quota, anonymous, failures or search."""
        self._limiter = limiter
        self._usual = usual
        self._refused = refused

    async def admit(self, principal: Principal, scope: Scope) -> list[RateLimitStatus]:
        """Count a request on its key, or on its address without a key; raises RatesUnavailable."""
        return await self._limiter.take(self._allowances(principal, scope))

    async def admit_more(self, principal: Principal, scope: Scope, requests: int) -> None:
        """Count further requests on a key or address, for a batch.

        Raises RateExceeded, RatesUnavailable, and RequestInvalid if the batch alone exceeds a rate.
        """
        allowances = [replace(each, amount=requests) for each in self._allowances(principal, scope)]
        for each in allowances:
            if requests >= each.rate.amount:
                raise RequestInvalid(
                    f"{requests + 1} photos exceed the rate of {each.rate}: send {each.rate.amount} or fewer"
                )
        self.require(await self._limiter.take(allowances))

    def require(self, standings: Sequence[RateLimitStatus]) -> None:
        """Raise RateExceeded or QuotaExceeded if a limit refuses the request."""
        for each in standings:
            if not each.is_allowed:
                self._refuse(each)

    async def fail(self, scope: Scope) -> None:
        """Count a wrong key on its address; raises RateExceeded, RatesUnavailable."""
        if self._usual.failures != UNLIMITED:
            self.require(await self._limiter.take([Allowance("failures", self._usual.failures, client(scope))]))

    async def search(self, key_id: str, embeddings: int) -> RateLimitStatus | None:
        """Count embeddings that a key searches; None without a limit.

        Raises RateExceeded, RatesUnavailable, and RequestInvalid if the request alone exceeds the rate.
        """
        rate = self._usual.search
        if rate == UNLIMITED:
            return None
        if embeddings > rate.amount:
            raise RequestInvalid(
                f"{embeddings} embeddings exceed the key's rate of {rate}: send {rate.amount} or fewer"
            )
        (standing,) = await self._limiter.take([Allowance("search", rate, key_id, embeddings)])
        self.require([standing])
        return standing

    async def close(self) -> None:
        """Close the shared storage."""
        await self._limiter.close()

    def _allowances(self, principal: Principal, scope: Scope) -> list[Allowance]:
        usual = self._usual
        if principal.key_id is None:
            limits = [("anonymous", usual.anonymous, "")]
        else:
            rate = usual.key if principal.rate is None else principal.rate
            quota = usual.quota if principal.quota is None else principal.quota
            limits = [("key", rate, principal.key_id), ("quota", quota, principal.key_id)]
        return [Allowance(name, rate, key or client(scope)) for name, rate, key in limits if rate != UNLIMITED]

    def _refuse(self, standing: RateLimitStatus) -> None:
        name, rate = standing.allowance.name, standing.allowance.rate
        self._refused(name)
        wait = f"try again in {standing.reset_s} seconds"
        if name == "quota":
            raise QuotaExceeded(f"the API key's quota of {rate} is used up; {wait}", standing.reset_s)
        owner = "the API key's" if name in {"key", "search"} else "this address's"
        kind = {"failures": "wrong keys", "search": "embeddings"}.get(name, "requests")
        raise RateExceeded(f"{owner} rate of {rate} is used up by too many {kind}; {wait}", standing.reset_s)


class Searches:
    """Counter of the embeddings that a key searches.

    Callers who may read templates have no limit, and neither has a service without keys.
    """

    def __init__(self, rates: Rates, principal: Principal, standings: list[RateLimitStatus]) -> None:
        """`standings` are the limits that the answer reports."""
        self._rates = rates
        self._principal = principal
        self._standings = standings

    async def take(self, embeddings: int) -> None:
        """Count embeddings before the search; raises as `Rates.search`."""
        if self._principal.may_read_templates or self._principal.key_id is None:
            return
        standing = await self._rates.search(self._principal.key_id, embeddings)
        if standing is not None:
            self._standings.append(standing)


class Batches:
    """Counter of the photos of a batch: each counts as a request."""

    def __init__(self, rates: Rates, principal: Principal, scope: Scope) -> None:
        self._rates = rates
        self._principal = principal
        self._scope = scope

    async def take(self, photos: int) -> None:
        """Count photos, of which the request itself is one; raises as `Rates.admit_more`."""
        if photos > 1:
            await self._rates.admit_more(self._principal, self._scope, photos - 1)


def announcing(send: Send, standings: Sequence[RateLimitStatus]) -> Send:
    """Return a `send` that adds the RateLimit headers (draft-ietf-httpapi-ratelimit-headers, 8 to 11).

    `standings` may grow until the answer starts.
    """

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start" and standings:
            headers = MutableHeaders(scope=message)
            headers["RateLimit-Policy"] = ", ".join(
                f'"{each.allowance.name}";q={_rate(each).amount};w={_rate(each).seconds}' for each in standings
            )
            headers["RateLimit"] = ", ".join(
                f'"{each.allowance.name}";r={each.remaining};t={each.reset_s}' for each in standings
            )
        await send(message)

    return send_with_headers


def client(scope: Scope) -> str:
    """Return the account of a client's address: the whole IPv4 address, the /64 network of an IPv6 address."""
    host = (scope.get("client") or ("unknown",))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return str(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _SITE_BITS), strict=False))
    return str(address)


def _rate(standing: RateLimitStatus) -> Rate:
    return standing.allowance.rate
