"""Face detection: MTCNN, RetinaFace, SCRFD and YuNet, each with the pure decoding of its outputs."""
