"""`arcid identify | verify | detect | enroll | people`: recognize faces from a shell."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel
from rich.table import Table

from app.api.routes.analyse import DetectAnswer
from app.api.schemas.answers import EnrollAnswer
from app.api.schemas.boxes import BoxSchema
from app.api.schemas.fields import DEFAULT_COLLECTION
from app.api.schemas.identify_answers import IdentifiedFaceSchema, IdentifyAnswer
from app.api.schemas.liveness import LivenessSchema
from app.cli.empty_gallery import EmptyGalleryHint, say_nobody
from app.cli.error_line import error_line
from app.cli.face_calls import FaceCalls, local_calls
from app.cli.output import Console, show
from app.cli.rates import rate_in_words
from app.cli.remote_calls import remote_calls
from app.errors import NothingEnrolled, PhotoRefused, RejectedPhoto, SettingsInvalid
from app.recognition.decisions.stated_rates import StatedRate

NOT_A_MATCH = 3
SOME_REFUSED = 3

Answer = TypeVar("Answer", bound=BaseModel)
Row = tuple[str, ...]
Photos = Annotated[
    list[Path],
    typer.Argument(exists=True, dir_okay=False, metavar="PHOTO", help="Photos: JPEG, PNG, WebP, HEIC and others."),
]
InCollection = Annotated[str, typer.Option("--collection", help="Name of the collection.")]
Url = Annotated[
    str | None, typer.Option(help="Address of a running service, such as localhost:8000. Default: the local data.")
]
Key = Annotated[str | None, typer.Option("--key", envvar="ARCID_API_KEY", help="API key for --url.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer, one JSON document per line.")]


def identify(
    photos: Photos,
    *,
    collection: InCollection = DEFAULT_COLLECTION,
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Candidates of each face.")] = 1,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show who is in photos, with the box of each face.

    Exit status 3 if a photo was refused.
    """
    columns = ("face", "verdict", "who", "similarity", "chance of a stranger", "quality")
    with _calls(url, key) as calls:
        hint = EmptyGalleryHint(calls, collection)
        _ask_each(
            photos,
            lambda photo: hint.after(calls.identify(photo, collection=collection, top_k=top_k)),
            _identified,
            columns,
            as_json=as_json,
        )


def detect(photos: Photos, *, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Find the faces in photos and measure their quality. Nothing is stored.

    Exit status 3 if a photo was refused.
    """
    with _calls(url, key) as calls:
        _ask_each(photos, calls.detect, _detected, ("face", "score", "quality", "to improve"), as_json=as_json)


def verify(
    probe: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="PHOTO", help="The photo of the person in question.")
    ],
    reference: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="The photo to compare with.")
    ] = None,
    *,
    identity: Annotated[str | None, typer.Option(help="Id of an enrolled person, instead of a photo.")] = None,
    collection: InCollection = DEFAULT_COLLECTION,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Compare a photo with another one, or with an enrolled person.

    Exit status 3 if they do not match.
    """
    if (reference is None) == (identity is None):
        raise SettingsInvalid("name a second photo, or a person with --identity")
    data = reference.read_bytes() if reference is not None else None
    with _calls(url, key) as calls:
        answer = calls.verify(probe.read_bytes(), reference=data, identity_id=identity, collection=collection)
    if as_json:
        typer.echo(answer.model_dump_json())
    else:
        table = Table("verdict", "similarity", "threshold", "chance of a stranger", "face", box=None)
        rate = rate_in_words(StatedRate(answer.fmr, answer.fmr_range))
        similarity = _number(answer.similarity)
        verdict = verdict_in_words(answer.verdict, answer.probe_face.liveness)
        table.add_row(verdict, similarity, _number(answer.threshold), rate, _box(answer.probe_face.box))
        show(table)
    if answer.verdict != "match":
        raise typer.Exit(NOT_A_MATCH)


def enroll(
    identity_id: Annotated[str, typer.Argument(help="Id of the person, such as ada.")],
    photos: Photos,
    *,
    name: Annotated[str | None, typer.Option(help="Name of the person.")] = None,
    collection: InCollection = DEFAULT_COLLECTION,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Enroll a person with photos, each of which is accepted or refused on its own.

    Exit status 3 if a photo was refused.
    """
    data = [each.read_bytes() for each in photos]
    try:
        with _calls(url, key) as calls:
            answer = calls.enroll(data, identity_id=identity_id, name=name, collection=collection)
    except NothingEnrolled as error:
        answer = _nothing(identity_id, error.rejected)
    if as_json:
        typer.echo(answer.model_dump_json())
    else:
        table = Table("photo", "face", "quality", "refused", box=None)
        for face in answer.faces:
            quality = "" if face.quality is None else _number(face.quality.score)
            table.add_row(str(photos[face.photo]), _box(face.box), quality, "")
        for rejected in answer.rejected:
            table.add_row(str(photos[rejected.photo]), "", "", rejected.detail)
        show(table)
    if answer.rejected:
        raise typer.Exit(SOME_REFUSED)


def people(
    text: Annotated[str | None, typer.Argument(help="Part of an id or name.")] = None,
    *,
    collection: InCollection = DEFAULT_COLLECTION,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Maximum number of people.")] = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the enrolled people of a collection."""
    with _calls(url, key) as calls:
        page = calls.people(collection=collection, text=text, limit=limit)
    if as_json:
        typer.echo(page.model_dump_json())
        return
    if text is None and not page.total:
        say_nobody(collection)
        return
    table = Table("id", "name", "faces", "enrolled", box=None)
    for each in page.identities:
        table.add_row(each.identity_id, each.name or "", str(each.faces), f"{each.created_at:%Y-%m-%d}")
    show(table)
    if page.next_cursor is not None:
        more = f"{page.total - len(page.identities)} more; name a part of an id or name, or raise --limit"
        Console(stderr=True).print(more, highlight=False)


def _calls(url: str | None, key: str | None) -> AbstractContextManager[FaceCalls]:
    return local_calls() if url is None else remote_calls(url, key)


def _ask_each(
    photos: Iterable[Path],
    ask: Callable[[bytes], Answer],
    rows: Callable[[Answer], Iterator[Row]],
    columns: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Print the answer to each photo; a refused one does not stop the others."""
    table, is_refused = Table("photo", *columns, box=None), False
    for path in photos:
        try:
            answer = ask(path.read_bytes())
        except PhotoRefused as error:
            is_refused = True
            if as_json:
                typer.echo(json.dumps({"photo": str(path), "code": error.code, "detail": str(error)}))
            else:
                Console(stderr=True).print(f"{path}: {error_line(error)}", highlight=False, soft_wrap=True)
            continue
        if as_json:
            typer.echo(json.dumps({"photo": str(path), **answer.model_dump(mode="json")}))
        else:
            for row in rows(answer):
                table.add_row(str(path), *row)
    if table.row_count:
        show(table)
    if is_refused:
        raise typer.Exit(SOME_REFUSED)


def _identified(answer: IdentifyAnswer) -> Iterator[Row]:
    if not answer.faces:
        yield ("no face",)
    for face in answer.faces:
        yield from _candidates(face)


def _candidates(face: IdentifiedFaceSchema) -> Iterator[Row]:
    first = (_box(face.box), verdict_in_words(face.verdict, face.liveness))
    if not face.candidates:
        yield (*first, "", "", "", _number(face.quality.score))
    for each in face.candidates:
        who = each.name if each.name in {None, each.identity_id} else f"{each.name} ({each.identity_id})"
        rate = rate_in_words(StatedRate(each.fpir, each.fpir_range))
        who = who or each.identity_id
        who = f"nearest: {who}" if face.verdict == "unknown" else who
        yield (*first, who, _number(each.similarity), rate, _number(face.quality.score))


def verdict_in_words(verdict: str, liveness: LivenessSchema | None) -> str:
    """Return the verdict on a face, with the reason if the face is not live."""
    if liveness is None or liveness.verdict == "live":
        return verdict
    return f"{verdict}: {' '.join([liveness.verdict, *liveness.reasons])}"


def _detected(answer: DetectAnswer) -> Iterator[Row]:
    if not answer.faces:
        yield ("no face",)
    for face in answer.faces:
        quality = face.quality
        yield _box(face.box), _number(face.detection_score), _number(quality.score), ", ".join(quality.reasons)


def _nothing(identity_id: str, rejected: list[RejectedPhoto]) -> EnrollAnswer:
    refused = [{"photo": each.photo, "code": each.code, "detail": each.detail} for each in rejected]
    return EnrollAnswer.model_validate(
        {
            "identity_id": identity_id,
            "faces": [],
            "rejected": refused,
            "duplicates": [],
            "mismatches": [],
            "faces_truncated": False,
        }
    )


def _box(box: BoxSchema) -> str:
    """Return left, top and right, bottom in pixels."""
    left, top, right, bottom = (round(each) for each in box)
    return f"{left},{top} {right},{bottom}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
