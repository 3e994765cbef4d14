"""Names that other face services and libraries give to our fields: a message can then name the right one."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

_SIMILAR = 0.7
_TABLE: Mapping[tuple[str, ...], str] = {
    ("photo", "photos", "probe", "file", "source_image"): """
        photo photos photofile image images imagefile imagedata imagebase64 imagebytes imagepath imgpath img imgs img1
        img1path image1 photo1 file file1 files picture pictures pic upload data content bytes base64 b64 face faces
        facedata faceimage selfie sourceimage source probe probeimage query queryimage frame""",
    ("reference", "target_image"): """
        img2 img2path image2 photo2 file2 targetimage target reference referenceimage document""",
    ("photo_url", "photo_urls", "probe_url"): "url urls uri imageurl imageurls imgurl photourl photourls link",
    ("reference_url",): "targeturl referenceurl imageurl2 url2",
    ("identity_id",): """
        subject subjectid person personid user userid label externalimageid externalid identity identityid employeeid
        customerid id""",
    ("name",): "fullname displayname personname username",
    ("metadata",): "userdata attributes tags extra info",
    ("collection",): """
        collectionid collectionname gallery galleryid dbpath database facelistid persongroupid largepersongroupid
        dataset group groupid""",
    ("top_k",): "limit topk topn k n count predictioncount maxfaces maxusers maxresults maxnumofcandidatesreturned",
    ("threshold",): """
        facematchthreshold usermatchthreshold similaritythreshold simthreshold confidencethreshold distancethreshold
        minsimilarity minscore""",
    ("model",): "modelname recognitionmodel network",
    ("embedding",): "embeddings vector encoding feature descriptor facevector",
    ("into",): "target targetid identityid",
}


def _inverted() -> dict[str, tuple[str, ...]]:
    inverted: dict[str, tuple[str, ...]] = {}
    for ours, others in _TABLE.items():
        for each in others.split():
            inverted[each] = inverted.get(each, ()) + ours
    return inverted


_OURS = _inverted()


def meant(name: str, known: Iterable[str]) -> str | None:
    """Return the known field that an unknown name probably means, None if no field is likely."""
    fields = list(known)
    plain = "".join(filter(str.isalnum, name.lower()))
    for each in _OURS.get(plain, ()):
        if each in fields:
            return each
    nearest = get_close_matches(name.lower(), fields, n=1, cutoff=_SIMILAR)
    return nearest[0] if nearest else None
