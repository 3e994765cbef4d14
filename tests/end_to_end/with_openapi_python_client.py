"""The client that openapi-python-client generates: ADDRESS KEY, in the folder of the photos."""

import json
import sys
from pathlib import Path

from generated.api.gallery import get_face  # type: ignore[import-not-found]
from generated.api.recognition import enroll, identify  # type: ignore[import-not-found]
from generated.client import AuthenticatedClient  # type: ignore[import-not-found]
from generated.models import EnrollRequestForm, EnrollRequestFormMetadata, IdentifyRequestForm  # type: ignore[import-not-found]
from generated.types import File  # type: ignore[import-not-found]


def file(name: str):
    return File(payload=Path(name).open("rb"), file_name=name)


address, key = sys.argv[1:]
client = AuthenticatedClient(base_url=f"{address}/v1", token=key)
metadata = EnrollRequestFormMetadata.from_dict({"badge": 7})
sent = EnrollRequestForm(photos=[file("ada.jpg")], identity_id="ada", metadata=metadata)
enrolled = enroll.sync(client=client, body=sent)
found = identify.sync(client=client, body=IdentifyRequestForm(photo=[file("ada.jpg")]))
face = get_face.sync("default", enrolled.faces[0].face_id, client=client)
refused = enroll.sync(client=client, body=EnrollRequestForm(photos=[file("faceless.jpg")]))
identity = found.faces[0].candidates[0].identity_id
sys.stdout.write(json.dumps({"identity": identity, "owner": face.identity_id, "refused": refused.code}))
