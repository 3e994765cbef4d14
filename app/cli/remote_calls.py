"""The calls behind `arcid identify --url` and its likes: requests to a running service."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.api.routes.analyse import DetectAnswer
from app.api.schemas.answers import EnrollAnswer, VerifyAnswer
from app.api.schemas.identify_answers import IdentifyAnswer
from app.api.schemas.resources import IdentitiesPage
from app.errors import NothingEnrolled, PhotoRefused, RejectedPhoto, ServiceRefused, ServiceUnreachable, SettingsInvalid

_TIMEOUT_S = 60
_VERSION = "/v1"  # of the API: docs/api.md
_OF_PHOTOS = {each.code: each for each in PhotoRefused.__subclasses__()}


class _Problem(BaseModel):
    """The members of an error that a command shows."""

    code: str
    detail: str = ""
    rejected: list[dict[str, Any]] = []


_REJECTED = TypeAdapter(list[RejectedPhoto])


class RemoteCalls:
    """Calls of a running service; see `FaceCalls`.

    Raises PhotoRefused and NothingEnrolled as the local calls, ServiceRefused for other errors, ServiceUnreachable.
    """

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def identify(self, photo: bytes, *, collection: str, top_k: int) -> IdentifyAnswer:
        """See `FaceCalls`."""
        answer = self._post("/identify", [("photo", photo)], collection=collection, top_k=str(top_k))
        return IdentifyAnswer.model_validate_json(answer)

    def verify(
        self, probe: bytes, *, reference: bytes | None, identity_id: str | None, collection: str
    ) -> VerifyAnswer:
        """See `FaceCalls`."""
        photos = [("probe", probe), *([("reference", reference)] if reference is not None else [])]
        return VerifyAnswer.model_validate_json(
            self._post("/verify", photos, collection=collection, identity_id=identity_id)
        )

    def detect(self, photo: bytes) -> DetectAnswer:
        """See `FaceCalls`."""
        return DetectAnswer.model_validate_json(self._post("/detect", [("photo", photo)]))

    def enroll(
        self, photos: Sequence[bytes], *, identity_id: str | None, name: str | None, collection: str
    ) -> EnrollAnswer:
        """See `FaceCalls`."""
        files = [("photos", each) for each in photos]
        answer = self._post("/enroll", files, collection=collection, identity_id=identity_id, name=name)
        return EnrollAnswer.model_validate_json(answer)

    def people(self, *, collection: str, text: str | None, limit: int) -> IdentitiesPage:
        """See `FaceCalls`."""
        query = {"limit": str(limit), **({"q": text} if text is not None else {})}
        answer = self._ask("GET", f"/collections/{collection}/identities", params=query)
        return IdentitiesPage.model_validate_json(answer)

    def _post(self, path: str, photos: Sequence[tuple[str, bytes]], **fields: str | None) -> bytes:
        files = [(name, ("photo", photo)) for name, photo in photos]
        return self._ask("POST", path, files=files, data={name: each for name, each in fields.items() if each})

    def _ask(self, method: str, path: str, **request: Any) -> bytes:
        try:
            response = self._client.request(method, f"{_VERSION}{path}", **request)
        except httpx2.TransportError as error:
            raise ServiceUnreachable(f"no service answers at {self._client.base_url}", str(error)) from error
        if response.is_success:
            return response.content
        raise _error(response)


def _error(response: httpx2.Response) -> Exception:
    try:
        problem = _Problem.model_validate_json(response.content)
    except ValidationError:
        return ServiceRefused(f"the answer is HTTP {response.status_code}, and not one of ArcID")
    if problem.rejected:
        return NothingEnrolled(problem.detail, _REJECTED.validate_python(problem.rejected))
    if problem.code in _OF_PHOTOS:
        return _OF_PHOTOS[problem.code](problem.detail)
    return ServiceRefused(f"{problem.detail or problem.code} (HTTP {response.status_code}, {problem.code})")


@contextmanager
def remote_calls(url: str, key: str | None) -> Iterator[RemoteCalls]:
    """Connect to a service; `url` may lack the scheme (localhost:8000). Raises SettingsInvalid if it is not a URL."""
    address = url if "://" in url else f"http://{url}"
    headers = {"X-Api-Key": key} if key else {}
    try:
        client = httpx2.Client(base_url=address.rstrip("/"), headers=headers, timeout=_TIMEOUT_S)
    except (httpx2.InvalidURL, ValueError) as error:
        raise SettingsInvalid(f"--url: {url!r} is not a URL: {error}") from error
    with client:
        yield RemoteCalls(client)
