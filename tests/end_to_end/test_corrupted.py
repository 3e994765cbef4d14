import io
import random

from PIL import Image

from tests.end_to_end.lfw import in_parallel

PHOTOS = 2000


def corrupted(portrait, seed):
    """Return the portrait as a small photo of a random format with random damage."""
    rng = random.Random(seed)
    kind = rng.choice(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
    photo = portrait.resize((rng.randint(16, 160), rng.randint(16, 160)))
    data = io.BytesIO()
    photo.save(data, kind)
    damaged = bytearray(data.getvalue())
    for _ in range(rng.randint(1, 12)):
        damage, at = rng.randrange(4), rng.randrange(max(1, len(damaged)))
        if damage == 0:
            damaged[at : at + 1] = bytes([rng.randrange(256)])
        elif damage == 1:
            del damaged[at : at + rng.randrange(64)]
        elif damage == 2:
            damaged[at:at] = rng.randbytes(rng.randrange(32))
        else:
            del damaged[at:]
    return bytes(damaged)


def test_no_corrupted_photo_breaks_the_service(served, portrait):
    decoded = Image.open(io.BytesIO(portrait)).convert("RGB")
    with served() as client:

        def status(seed):
            return client.post("/identify", files={"photo": corrupted(decoded, seed)}).status_code

        seen = in_parallel(status, range(PHOTOS))
        assert set(seen) <= {200, 413, 422}
        assert {200, 422} <= set(seen)
        assert client.get("/readyz").status_code == 200
