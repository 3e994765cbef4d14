from tests.recognition.conftest import analysis, gallery

__all__ = ["analysis", "gallery"]
