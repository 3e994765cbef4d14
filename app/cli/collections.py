"""`arcid collections`: isolated galleries."""

from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.table import Table

from app.cli.default_collection import ensure_default
from app.cli.names import new_name
from app.cli.output import Console, show
from app.cli.serve import prepare_database
from app.config import Settings, read_settings
from app.container import Container
from app.errors import EncryptionRequired, SettingsInvalid
from app.gallery.store.collections import require_one_rule
from app.gallery.store.values import CollectionSettings, Reaction
from app.recognition.collections import require_rememberable
from app.types import Impostors, LivenessMode, Provider, ReviewMode

cli = typer.Typer(help="Collections: isolated galleries, each bound to one network.", no_args_is_help=True)


Flip = Annotated[bool | None, typer.Option("--flip/--no-flip", help="Average each embedding with its mirror image's.")]
EnrollQuality = Annotated[
    float | None,
    typer.Option(
        "--enroll-quality",
        "--enrol-quality",  # the old spelling
        min=0,
        max=1,
        help="Minimum quality of an enrolled face.",
    ),
]
ProbeQuality = Annotated[float | None, typer.Option(min=0, max=1, help="Minimum quality of a probe for a firm match.")]
DetectorName = Annotated[str | None, typer.Option(help="Detector: a pack, or finder+landmarker.")]
MaxFmr = Annotated[float | None, typer.Option(min=1e-12, max=0.5, help="Default FMR for /verify.")]
MaxFpir = Annotated[float | None, typer.Option(min=1e-12, max=0.5, help="Default FPIR for /identify and /search.")]
Threshold = Annotated[
    float | None, typer.Option(min=-1, max=1, help="Fixed similarity threshold, instead of both rates.")
]
KeepCrops = Annotated[
    bool | None, typer.Option("--keep-crops/--no-keep-crops", help="Store the encrypted crops of enrolled faces.")
]

RetentionDays = Annotated[
    int | None, typer.Option(min=1, max=36_500, help="Erase people this many days after their last enrollment.")
]
RememberUnknownDays = Annotated[
    int | None, typer.Option(min=1, max=3_650, help="Keep unknown faces this many days, encrypted.")
]
RequireConsent = Annotated[
    bool | None,
    typer.Option("--require-consent/--no-require-consent", help="Require recorded consent to enroll a person."),
]

Adaptive = Annotated[
    bool | None, typer.Option("--adaptive/--no-adaptive", help="Adapt the error rates to the collection's own people.")
]

ImpostorChoice = Annotated[
    Impostors | None,
    typer.Option("--impostors", help="Impostors that error rates are about; similar: of the same sex and origin."),
]

Liveness = Annotated[
    LivenessMode | None,
    typer.Option(help="Detection of presentation attacks: off, observe (only answered), or enforce."),
]

Review = Annotated[ReviewMode | None, typer.Option(help="Verdicts that people review: off, possible, or all_matches.")]
ReviewDays = Annotated[int | None, typer.Option(min=1, max=3_650, help="Days after which an open review expires.")]
Reviewers = Annotated[int | None, typer.Option(min=1, max=2, help="Different people who have to agree on a review.")]

_RESETTABLE = ("detector", "max_fmr", "max_fpir", "threshold", "retention_days", "remember_unknown_days", "impostors")
_OPTIONS = (
    "is_flip_averaged",
    "enroll_quality",
    "probe_quality",
    *_RESETTABLE,
    "is_crop_kept",
    "is_consent_required",
    "on_duplicate",
    "on_mismatch",
    "is_adaptive",
    "liveness",
    *("review", "review_days", "reviewers"),
)


OnDuplicate = Annotated[Reaction | None, typer.Option(help="Reaction to faces that look like another identity.")]
OnMismatch = Annotated[Reaction | None, typer.Option(help="Reaction to faces unlike the identity's other faces.")]


@cli.command()
def create(  # noqa: PLR0913 - a parameter is an option
    name: Annotated[str, typer.Argument(help="Name of the new collection.")],
    *,
    model: Annotated[str | None, typer.Option(help="Network or pack; default: ARCID_PACK.")] = None,
    flip: Flip = None,
    enroll_quality: EnrollQuality = None,
    probe_quality: ProbeQuality = None,
    detector: DetectorName = None,
    max_fmr: MaxFmr = None,
    max_fpir: MaxFpir = None,
    threshold: Threshold = None,
    retention_days: RetentionDays = None,
    remember_unknown_days: RememberUnknownDays = None,
    impostors: ImpostorChoice = None,
    keep_crops: KeepCrops = None,
    require_consent: RequireConsent = None,
    on_duplicate: OnDuplicate = None,
    on_mismatch: OnMismatch = None,
    adaptive: Adaptive = None,
    liveness: Liveness = None,
    review: Review = None,
    review_days: ReviewDays = None,
    reviewers: Reviewers = None,
) -> None:
    """Create a collection for a network of ARCID_PACK or ARCID_PACKS. A running service serves it at once."""
    new_name(name)
    settings = read_settings()
    prepare_database(settings)
    said = _said(
        flip,
        enroll_quality,
        probe_quality,
        detector,
        max_fmr,
        max_fpir,
        threshold,
        retention_days,
        remember_unknown_days,
        impostors,
        keep_crops,
        require_consent,
        on_duplicate,
        on_mismatch,
        adaptive,
        liveness,
        *(review, review_days, reviewers),
    )
    with Container(_on_cpu(settings)) as container:
        network = container.registry.named(model)
        collection_settings = _changed(container, container.collection_settings, said)
        if detector is not None:
            container.registry.require_detector(network, detector)
        container.store.create_collection(
            name, model=network.model, dimension=network.dimension, settings=collection_settings
        )
    Console().print(f"{name}: created for {network.model}", highlight=False)


@cli.command("set")
def change(  # noqa: PLR0913 - a parameter is an option
    name: Annotated[str, typer.Argument(help="Name of the collection.")],
    *,
    flip: Flip = None,
    enroll_quality: EnrollQuality = None,
    probe_quality: ProbeQuality = None,
    detector: DetectorName = None,
    max_fmr: MaxFmr = None,
    max_fpir: MaxFpir = None,
    threshold: Threshold = None,
    retention_days: RetentionDays = None,
    remember_unknown_days: RememberUnknownDays = None,
    impostors: ImpostorChoice = None,
    keep_crops: KeepCrops = None,
    require_consent: RequireConsent = None,
    on_duplicate: OnDuplicate = None,
    on_mismatch: OnMismatch = None,
    adaptive: Adaptive = None,
    liveness: Liveness = None,
    review: Review = None,
    review_days: ReviewDays = None,
    reviewers: Reviewers = None,
    reset: Annotated[
        list[str] | None,
        typer.Option(
            help="Reset detector, max_fmr, max_fpir, threshold or impostors to the default, "
            "retention_days to no limit, or remember_unknown_days to none."
        ),
    ] = None,
) -> None:
    """Change the named settings of a collection. Flip and detector are fixed once a face is enrolled."""
    said = _said(
        flip,
        enroll_quality,
        probe_quality,
        detector,
        max_fmr,
        max_fpir,
        threshold,
        retention_days,
        remember_unknown_days,
        impostors,
        keep_crops,
        require_consent,
        on_duplicate,
        on_mismatch,
        adaptive,
        liveness,
        *(review, review_days, reviewers),
    )
    with Container(_on_cpu(read_settings())) as container:
        ensure_default(container, name)
        now = container.store.collection(name)
        collection_settings = _changed(container, now.settings, _reset(reset or []) | said)
        if detector is not None:
            container.registry.require_detector(container.registry.of(now), detector)
        container.store.change_settings(name, collection_settings)
    Console().print(f"{name}: {_described(collection_settings)}", highlight=False, soft_wrap=True)


@cli.command("list")
def list_collections() -> None:
    """List the collections with their networks and the number of faces."""
    table = Table("collection", "network", "identities", "faces", "revision", "settings", box=None)
    with Container(read_settings()) as container:
        collections = container.store.collections()
    for each in collections:
        counts = (str(count) for count in (each.identities, each.faces, each.revision))
        table.add_row(each.name, each.model, *counts, _described(each.settings))
    show(table)


def _said(*values: object) -> dict[str, Any]:
    """Return the given options, by the names of `CollectionSettings`."""
    return {name: value for name, value in zip(_OPTIONS, values, strict=True) if value is not None}


def _reset(names: list[str]) -> dict[str, Any]:
    for name in names:
        if name not in _RESETTABLE:
            raise SettingsInvalid(f"--reset {name}: use one of {', '.join(_RESETTABLE)}")
    return dict.fromkeys(names)


def _on_cpu(settings: Settings) -> Settings:
    """Return settings with the CPU as provider, since this only checks that a detector opens."""
    inference = settings.inference.model_copy(update={"provider": Provider.CPU})
    return settings.model_copy(update={"inference": inference})


def _changed(container: Container, collection_settings: CollectionSettings, said: dict[str, Any]) -> CollectionSettings:
    changed: CollectionSettings = replace(collection_settings, **said)
    if said.get("is_crop_kept") and container.crops is None:
        raise EncryptionRequired
    if "remember_unknown_days" in said:
        most = container.settings.unknown_faces.most_days
        require_rememberable(changed, most, has_sealer=container.crops is not None)
    if said.get("liveness", LivenessMode.OFF) is not LivenessMode.OFF:
        container.liveness_gate.require_detector()
    require_one_rule(changed)
    return changed


def _described(collection_settings: CollectionSettings) -> str:
    flip = "flip-averaged" if collection_settings.is_flip_averaged else "plain"
    said = {name: getattr(collection_settings, name) for name in _RESETTABLE}
    own = "".join(f", {name} {value}" for name, value in said.items() if value is not None)
    crops = ", crops kept" if collection_settings.is_crop_kept else ""
    least_enrolled, least_probe = collection_settings.enroll_quality, collection_settings.probe_quality
    quality = f"quality from {least_enrolled:g} (enrollment) and {least_probe:g} (probe)"
    reactions = f"{collection_settings.on_duplicate} duplicates, {collection_settings.on_mismatch} mismatches"
    consent = ", only with consent" if collection_settings.is_consent_required else ""
    fixed = "" if collection_settings.is_adaptive else ", not adaptive"
    is_gated = collection_settings.liveness is not LivenessMode.OFF
    liveness = f", liveness {collection_settings.liveness}" if is_gated else ""
    review = f", review {collection_settings.review}" if collection_settings.review is not ReviewMode.OFF else ""
    return f"{flip}, {quality}, {reactions}{own}{crops}{consent}{fixed}{liveness}{review}"
