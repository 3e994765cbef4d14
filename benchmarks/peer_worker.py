"""The part of `benchmarks/peers.py` that runs in a library's own environment: photos in, faces out.

    python benchmarks/peer_worker.py LIBRARY FOLDER_OF_WEIGHTS

Reads one JSON object a line: `photo`, the path of a file, and `wanted`, one of `enroll`, `identify`, `vectors`. It
answers with one JSON object a line. Each library is called as its own documentation calls it, alone and on one thread.
It imports nothing of ArcID, except for the contestant `arcid`.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = list[float]
Found = tuple[list[Row], Any]
"""The boxes of faces, xyxy, and their embeddings: rows whose dot products with the enrolled ones are compared."""

DETECTED = 1280  # pixels of the longer side, as in ArcID; OpenCV's detector takes any size
YUNET, SFACE = "face_detection_yunet_2023mar.onnx", "face_recognition_sface_2021dec.onnx"


def opencv(weights: Path) -> Callable[[str], Found]:
    """cv2.FaceDetectorYN and cv2.FaceRecognizerSF, as in OpenCV Zoo's demo; photos are shrunk to 1280 pixels."""
    cv2, np = _imported("cv2"), _imported("numpy")
    cv2.setNumThreads(1)
    detector = cv2.FaceDetectorYN.create(str(weights / YUNET), "", (320, 320))
    recognizer = cv2.FaceRecognizerSF.create(str(weights / SFACE), "")

    def find(path: str) -> Found:
        image = cv2.imread(path)
        factor = DETECTED / max(image.shape[:2])
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
        detector.setInputSize((small.shape[1], small.shape[0]))
        faces = detector.detect(small)[1]
        rows = [] if faces is None else list(faces)
        features = [recognizer.feature(recognizer.alignCrop(small, row))[0] for row in rows]
        boxes = [[row[0], row[1], row[0] + row[2], row[1] + row[3]] for row in rows]
        return [[float(value / min(factor, 1)) for value in box] for box in boxes], _units(np, features)

    return find


def dlib(_: Path) -> Callable[[str], Found]:
    """face_recognition with its defaults: the HOG detector, and one encoding of each face."""
    library, np = _imported("face_recognition"), _imported("numpy")

    def find(path: str) -> Found:
        image = library.load_image_file(path)
        places = library.face_locations(image)
        encodings = library.face_encodings(image, known_face_locations=places)
        return [[left, top, right, bottom] for top, right, bottom, left in places], np.array(encodings)

    return find


def deepface(weights: Path, model: str = "SFace", detector: str = "yunet") -> Callable[[str], Found]:
    """DeepFace.represent on ONNX Runtime, which DeepFace uses by default."""
    os.environ |= {"DEEPFACE_HOME": str(weights), "DEEPFACE_LOG_LEVEL": "50", "DEEPFACE_BACKEND_ENGINE": "onnx"}
    folder = weights / ".deepface" / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (YUNET, SFACE):
        if not (folder / name).exists():
            (folder / name).symlink_to(weights / name)
    _one_thread()
    _imported("cv2").setNumThreads(1)
    library, np = _imported("deepface.DeepFace"), _imported("numpy")
    no_face = _imported("deepface.modules.exceptions").FaceNotDetected
    library.build_model(model)  # fails here if its weights cannot be had

    def find(path: str) -> Found:
        try:
            faces = library.represent(img_path=path, model_name=model, detector_backend=detector)
        except no_face:
            return [], np.zeros((0, 1))
        areas = [face["facial_area"] for face in faces]
        boxes = [[each["x"], each["y"], each["x"] + each["w"], each["y"] + each["h"]] for each in areas]
        return boxes, _units(np, [face["embedding"] for face in faces])

    return find


def deepface_default(weights: Path) -> Callable[[str], Found]:
    """DeepFace as it comes: VGG-Face and OpenCV's cascade. Its 500 MB of weights must be in FOLDER/.deepface."""
    return deepface(weights, "VGG-Face", "opencv")


def uniface(weights: Path) -> Callable[[str], Found]:
    """FaceAnalyzer() as it comes: RetinaFace MobileNetV2 and EdgeFace."""
    os.environ["UNIFACE_CACHE_DIR"] = str(weights)
    _one_thread()
    return _uniface(_imported("uniface").FaceAnalyzer())


def uniface_sface(weights: Path) -> Callable[[str], Found]:
    """FaceAnalyzer() with weights that packages bring: its RetinaFace MobileNet 0.25, SFace in its BaseRecognizer."""
    os.environ["UNIFACE_CACHE_DIR"] = str(weights)
    _one_thread()
    library, base = _imported("uniface"), _imported("uniface.recognition.base")
    detector = library.RetinaFace(model_name=library.constants.RetinaFaceWeights.MNET_025)

    class SFace(base.BaseRecognizer):  # type: ignore[misc, name-defined]  # a class of another environment
        """SFace takes RGB, 0..255."""

        def __init__(self) -> None:
            preprocessing = base.PreprocessConfig(input_mean=0.0, input_std=1.0, input_size=(112, 112))
            super().__init__(model_path=str(weights / SFACE), preprocessing=preprocessing)

    return _uniface(library.FaceAnalyzer(detector=detector, recognizer=SFace()))


def _uniface(analyzer: Any) -> Callable[[str], Found]:
    cv2, np = _imported("cv2"), _imported("numpy")
    cv2.setNumThreads(1)

    def find(path: str) -> Found:
        faces = analyzer.analyze(cv2.imread(path))
        return [list(map(float, face.bbox)) for face in faces], _units(np, [face.embedding for face in faces])

    return find


def arcid(_: Path) -> Callable[[str], Found]:
    """ArcID's pipeline without the service, with the settings of the environment."""
    np = _imported("numpy")
    settings = _imported("app.config").read_settings()
    scorings = _imported("app.recognition.decisions.calibration.error_rates")
    models = _imported("app.wiring.model_loading").ModelLoader(
        settings, _imported("app.wiring.storage").open_packs(settings)
    )
    analysis, flip = models.default_analysis(), settings.inference.flip
    scoring = scorings.scoring_of(models.calibrations(models.served[0]).shipped(is_flip_averaged=flip))

    def find(path: str) -> Found:
        faces = analysis.analyse(Path(path).read_bytes(), is_flip_averaged=flip, is_probe=True)
        vectors = np.array([face.vector for face in faces])
        norms = np.array([face.norm for face in faces], np.float32)
        return [list(face.detection.box) for face in faces], scoring.vectors(vectors, norms) if len(faces) else vectors

    return find


LIBRARIES: dict[str, Callable[[Path], Callable[[str], Found]]] = {
    "arcid": arcid,
    "opencv": opencv,
    "dlib": dlib,
    "deepface": deepface,
    "deepface_default": deepface_default,
    "uniface": uniface,
    "uniface_sface": uniface_sface,
}
HAS_DISTANCES = frozenset({"dlib"})
"""The libraries that compare by Euclidean distance; all others by cosine."""


@dataclass
class Worker:
    """A library and the embeddings that it has enrolled."""

    find: Callable[[str], Found]
    is_by_distance: bool
    enrolled: list[Any] = field(default_factory=list)

    def answer(self, photo: str, wanted: str) -> dict[str, Any]:
        """Return what a line asks for."""
        boxes, vectors = self.find(photo)
        if wanted == "vectors":
            return {
                "boxes": [list(map(float, box)) for box in boxes],
                "vectors": [list(map(float, row)) for row in vectors],
            }
        if wanted == "enroll":
            self.enrolled.extend(vectors)
            return {"faces": len(boxes)}
        return {"faces": len(boxes), "best": [self._best(row) for row in vectors]}

    def _best(self, row: Any) -> int:
        np = _imported("numpy")
        gallery = np.array(self.enrolled)
        scores = -np.linalg.norm(gallery - row, axis=1) if self.is_by_distance else gallery @ row
        return int(scores.argmax())


def _imported(name: str) -> Any:
    return importlib.import_module(name)


def _units(np: Any, rows: list[Any]) -> Any:
    if not rows:
        return np.zeros((0, 1), np.float32)
    found = np.array(rows, np.float32).reshape(len(rows), -1)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def _one_thread() -> None:
    """Give sessions of ONNX Runtime one thread: these libraries have no setting for it."""
    runtime = _imported("onnxruntime")
    usual = runtime.InferenceSession

    def session(path: str, sess_options: Any = None, **others: Any) -> Any:
        options = sess_options or runtime.SessionOptions()
        options.intra_op_num_threads = 1
        return usual(path, sess_options=options, **others)

    runtime.InferenceSession = session


def main(library: str, weights: Path) -> None:
    """Answer lines until standard input ends. The library's own output goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(LIBRARIES[library](weights), library in HAS_DISTANCES)
    print(json.dumps({"ready": library}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(worker.answer(**json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
