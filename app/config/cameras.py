"""Settings of cameras."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from app.config.groups import Group, split_at_commas

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")


def _camera_hosts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return hosts, addresses and networks in lower case. Raises ValueError for any other entry."""
    for each in texts:
        try:
            ip_network(each.strip("[]"), strict=False)
        except ValueError:
            if not _NAME.fullmatch(each.removeprefix("*.")):
                raise ValueError(
                    f"{each!r} is not a host: use door.lan, *.cameras.lan, 10.0.3.7 or 10.0.3.0/24"
                ) from None
    return tuple(each.lower() for each in texts)


class CameraSettings(Group):
    """Cameras that the service watches; see docs/watching.md."""

    hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(split_at_commas),
        AfterValidator(_camera_hosts),
        Field(
            description="Hosts that cameras of the API may have, separated by commas: names, *.name, addresses, and "
            "networks such as 10.0.3.0/24. Empty: no camera has a URL."
        ),
    ] = ()
    most: Annotated[int, Field(ge=0, le=1000, description="Maximum number of cameras.")] = 32
    threads: Annotated[
        int, Field(ge=1, le=64, description="Frames of all cameras that are analysed at the same time.")
    ] = 1
    seconds: Annotated[
        float,
        Field(ge=1, le=300, description="Longest wait for a connection to a camera, and for a frame, in seconds."),
    ] = 10
    lost_seconds: Annotated[
        float, Field(ge=1, le=3600, description="A camera without a frame for this many seconds is lost.")
    ] = 30
    decoder: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9_]+$",
            description="Hardware that decodes streams, such as cuda, vaapi, qsv or videotoolbox. Unset: the CPU.",
        ),
    ] = None
