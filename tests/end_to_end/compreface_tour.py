"""Call each method of CompreFace's published Python client, as in its README, and print all answers as JSON.

This runs in an environment with the client and without this project: compreface_tour.py DOMAIN PORT KEY FOLDER
"""

import json
import sys
from pathlib import Path

from compreface import CompreFace  # type: ignore[import-not-found] # in a separate environment
from compreface.exceptions import IncorrectFieldException  # type: ignore[import-not-found]

OPTIONS = {
    "limit": 0,
    "det_prob_threshold": 0.8,
    "prediction_count": 1,
    "face_plugins": "calculator,age,gender,landmarks,mask",
    "status": "true",
}


def tour(domain, port, key, folder):
    """Return all answers by their request."""
    ada, ada_too, bob = (str(folder / name) for name in ("ada.jpg", "ada-too.jpg", "bob.jpg"))
    group, faceless = str(folder / "group.jpg"), str(folder / "faceless.png")
    compre_face = CompreFace(domain=domain, port=port, options=OPTIONS)
    recognition = compre_face.init_face_recognition(key)
    detection = compre_face.init_face_detection(key)
    verification = compre_face.init_face_verification(key)
    faces, subjects = recognition.get_face_collection(), recognition.get_subjects()
    answers = {
        "functions": [each.get_available_functions() for each in (recognition, detection, verification)],
        "add subject": subjects.add("Ada Lovelace"),
        "add subject again": subjects.add("Ada Lovelace"),
        "subjects without faces": subjects.list(),
        "add face": faces.add(image_path=ada, subject="Ada Lovelace", options={"det_prob_threshold": 0.8}),
        "add face from bytes": faces.add(image_path=Path(ada_too).read_bytes(), subject="Ada Lovelace"),
        "add face of somebody new": faces.add(image_path=bob, subject="Bob"),
        "add several faces": faces.add(image_path=group, subject="Everybody"),
        "add no face": faces.add(image_path=faceless, subject="Nobody"),
        "faces": faces.list(),
        "recognise": recognition.recognize(image_path=ada_too),
        "recognise group": recognition.recognize(group, {"limit": 2, "prediction_count": 5}),
        "recognise nobody": recognition.recognize(faceless),
        "recognise surely": recognition.recognize(group, {"det_prob_threshold": 1.0}),
        "detect": detection.detect(image_path=group),
        "detect without options": detection.detect(ada, {"status": False}),
        "verify": verification.verify(ada, ada_too),
        "verify others": verification.verify(ada, group, {"limit": 3, "face_plugins": "landmarks"}),
        "verify several": verification.verify(group, ada),
    }
    image_id = answers["add face"]["image_id"]
    answers |= {
        "verify face": faces.verify(image_path=ada_too, image_id=image_id),
        "verify face of another": faces.verify(bob, image_id, {"face_plugins": "calculator", "status": True}),
        "verify unknown face": faces.verify(bob, "6b135f5b-a365-4522-b1f1-4c9ac2dd0728"),
        "rename": subjects.update("Ada Lovelace", "Ada"),
        "rename unknown": subjects.update("Ada Lovelace", "Ada"),
        "renamed": subjects.list(),
        "merge": subjects.update("Bob", "Ada"),
        "merged": subjects.list(),
        "merged faces": faces.list(),
        "delete face": faces.delete(image_id),
        "delete face again": faces.delete(image_id),
        "delete faces of subject": faces.delete_all("Ada"),
        "add subjects": [subjects.add(each) for each in ("Eve", "Mallory", "a b/c?")],
        "delete subject": subjects.delete("Eve"),
        "delete subject again": subjects.delete("Eve"),
        "delete all subjects": subjects.delete_all(),
        "nothing left": [subjects.list(), faces.list()],
        "wrong key": CompreFace(domain, port).init_face_recognition("wrong").get_subjects().list(),
    }
    try:
        recognition.recognize(ada, {"limit": -1})
    except IncorrectFieldException as error:  # the client's own check
        answers["refused by the client"] = str(error)
    return answers


def cameras(domain, port, key, folder):
    """Return the answers to the calls of Viseron and Home Assistant's integration, with their options."""
    ada, stranger = (folder / name for name in ("ada.jpg", "bob.jpg"))
    options = {"limit": 0, "det_prob_threshold": 0.8, "prediction_count": 1, "status": False}
    viseron = CompreFace(domain=domain, port=port, options=options).init_face_recognition(key)
    collection = viseron.get_face_collection()
    assistant = CompreFace(domain, port).init_face_recognition(key)
    return {
        "viseron clears": collection.delete_all("ada"),
        "viseron trains": collection.add(image_path=ada.read_bytes(), subject="ada"),
        "viseron fails to train": collection.add(image_path=(folder / "faceless.png").read_bytes(), subject="ada"),
        "viseron lists": viseron.get_subjects().list(),
        "viseron recognises": viseron.recognize(ada.read_bytes()),
        "viseron sees a stranger": viseron.recognize(stranger.read_bytes()),
        "viseron sees nobody": viseron.recognize((folder / "faceless.png").read_bytes()),
        "assistant recognises": assistant.recognize(str(ada)),
        "viseron clears again": collection.delete_all("ada"),
    }


if __name__ == "__main__":
    given_domain, given_port, given_key, given_folder = sys.argv[1:]
    given = (given_domain, given_port, given_key, Path(given_folder))
    sys.stdout.write(json.dumps(tour(*given) | cameras(*given)))
