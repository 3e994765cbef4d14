"""Photos by URL: fetched after the body is read, before the request waits for a slot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

from fastapi import Request

from app.api.http.body import Body, FormBody
from app.api.schemas.requests import PhotosRequest
from app.errors import ArcidError, PhotoRefused, UrlsDisabled
from app.observability.logs import get_logger
from app.remote.fetching import Fetcher

_log = get_logger(__name__)
Schema = TypeVar("Schema", bound=PhotosRequest)

_AT_ONCE_FOR_ONE = 4  # one request with many slow photos must not take all places


class PhotosBody(Body[Schema]):
    """Dependency that reads a body in either form, and fetches the photos that it names by URL."""

    is_form = True

    def __init__(self, schema: type[Schema], *, most_files: int = 1) -> None:
        super().__init__(schema)
        self._body = FormBody(schema, most_files=most_files)

    async def __call__(self, request: Request) -> AsyncIterator[Schema]:
        """Yield the body; the fetched bytes are held (`app.api.http.body_budget`) until the request is answered.

        Raises as FormBody and `Fetcher.fetch`, and UrlsDisabled. A schema that takes several photos gets the errors of
        refused photos in their place.
        """
        wanted = await self._body(request)
        urls = wanted.urls()
        if not urls:
            yield wanted
            return
        fetcher = _switched_on(request.app.state.fetcher)
        with request.app.state.body_budget.holding() as hold:
            deadline = fetcher.deadline()
            places = asyncio.Semaphore(_AT_ONCE_FOR_ONE)
            fetched = await asyncio.gather(
                *(_outcome(partial(fetcher.fetch, each, deadline, hold), places) for each in urls)
            )
            for each in fetched:
                request.app.state.metrics.fetched(each.code if isinstance(each, ArcidError) else "ok")
            yield wanted.with_photos(_usable(fetched, is_any_enough=wanted.takes_several))


def _switched_on(fetcher: Fetcher | None) -> Fetcher:
    if fetcher is None:
        raise UrlsDisabled("photos by URL are switched off here; send their bytes")
    return fetcher


async def _outcome(fetch: Callable[[], Awaitable[bytes]], places: asyncio.Semaphore) -> bytes | ArcidError:
    try:
        async with places:
            return await fetch()
    except ArcidError as error:
        return error


def _usable(fetched: list[bytes | ArcidError], *, is_any_enough: bool) -> list[bytes | PhotoRefused]:
    """Return the photos in order; raise the first error unless the request accepts refused photos."""
    usable: list[bytes | PhotoRefused] = []
    for number, each in enumerate(fetched):
        if isinstance(each, ArcidError) and not (is_any_enough and isinstance(each, PhotoRefused)):
            raise each
        if isinstance(each, PhotoRefused) and each.reason:
            _log.warning("photo.refused", photo=number, code=each.code, reason=each.reason)
        usable.append(each)
    return usable
