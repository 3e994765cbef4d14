import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

THREADS = 32
ROUNDS = 4


def variants(faces_of, portrait):
    """Photos with different people, numbers of faces and sizes, each with its people."""
    cuts = [np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) for data in (*faces_of, portrait)]
    for number in range(THREADS):
        who = number % len(cuts)
        scale = 1 + 0.07 * (number // len(cuts))
        photo = cv2.resize(cuts[who], None, fx=scale, fy=scale)
        yield f"person-{who}", photo.shape[1], cv2.imencode(".jpg", photo)[1].tobytes()


def test_every_answer_belongs_to_its_own_photo(served, faces_of, portrait):
    with served() as client:
        for number, photo in enumerate((*faces_of, portrait)):
            answer = client.post("/enroll", files={"photos": photo}, data={"identity_id": f"person-{number}"})
            assert answer.status_code == 200
        photos = list(variants(faces_of, portrait))
        start = threading.Barrier(THREADS)

        def identify(item):
            who, width, photo = item
            start.wait()
            for _ in range(ROUNDS):
                answer = client.post("/identify", files={"photo": photo})
                assert answer.status_code == 200
                (face,) = answer.json()["faces"]
                assert face["verdict"] == "match"
                assert face["candidates"][0]["identity_id"] == who
                # The box is in pixels of this photo, and no other of the same person has its width.
                assert 0.1 * width < face["box"][2] - face["box"][0] < 0.8 * width
            return face["box"]

        with ThreadPoolExecutor(THREADS) as pool:
            boxes = list(pool.map(identify, photos))
        assert boxes == [client.post("/identify", files={"photo": p}).json()["faces"][0]["box"] for _, _, p in photos]


def test_enrolling_and_identifying_at_once(served, faces_of):
    with served() as client:

        def enroll(number):
            fields = {"identity_id": f"worker-{number}", "name": f"Worker {number}"}
            assert client.post("/enroll", files={"photos": faces_of[number % 6]}, data=fields).status_code == 200
            # An acknowledged person is found at once (one identity among those with the same photo).
            answer = client.post("/identify", files={"photo": faces_of[number % 6]}, data={"top_k": "100"})
            found = {each["identity_id"] for each in answer.json()["faces"][0]["candidates"]}
            assert f"worker-{number}" in found

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(enroll, range(48)))
