"""Hints for paths that do not exist, but that callers expect from other APIs."""

import re
from urllib.parse import quote

_FACES_OF = re.compile(r"(.*/collections/[^/]+)/identities/(.+?)/faces(?:/[^/]*)?/?")
_IN_COLLECTION = re.compile(r"(.*)/collections/([^/]+)/(enroll|identify|verify|search)/?")
_ALONE = re.compile(r"(.*)/(identities|faces)/?")
_IDENTITIES = "identities are at {0}/collections/{{collection}}/identities"
_OTHER_NAMES = {
    **dict.fromkeys(("recognize", "recognise", "recognition"), "send POST {0}/identify"),
    **dict.fromkeys(("compare", "match", "verification"), "send POST {0}/verify"),
    **dict.fromkeys(("register", "enrollment"), "send POST {0}/enroll"),
    **dict.fromkeys(("represent", "embedding", "embeddings"), "send POST {0}/embed"),
    **dict.fromkeys(("people", "persons", "subjects", "users"), _IDENTITIES),
    **dict.fromkeys(("health", "status", "ping"), "ask GET {0}/healthz or {0}/readyz"),
}
"""Names of other APIs, as the last part of a path, with ours; {0} is the part before."""
_BASE = re.compile(r"((?:/v1)?)/([a-z]+)/?")
_LONGEST = 500  # characters of a path


def near_route(path: str) -> str:
    """Return where to find what a path asks for, as the end of an error message; "" if nothing is known."""
    if len(path) > _LONGEST:
        return ""
    if found := _FACES_OF.fullmatch(path):
        return f"; the faces of an identity are at {found[1]}/faces?identity_id={quote(found[2], safe='')}"
    if found := _IN_COLLECTION.fullmatch(path):
        return f"; send POST {found[1]}/{found[3]} with the field collection: {found[2]!r}"
    if found := _ALONE.fullmatch(path):
        return f"; {found[2]} are at {found[1]}/collections/{{collection}}/{found[2]}"
    if (found := _BASE.fullmatch(path)) and found[2] in _OTHER_NAMES:
        return f"; {_OTHER_NAMES[found[2]].format(found[1])}"
    return ""
