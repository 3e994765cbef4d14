import faiss
import pytest

from app.errors import ProviderUnavailable
from app.gallery.index.gpu import GpuIndex


def test_a_faiss_without_gpu_support_is_told_apart(monkeypatch):
    monkeypatch.delattr(faiss, "StandardGpuResources", raising=False)
    with pytest.raises(ProviderUnavailable, match="extra 'gpu'"):
        GpuIndex(8)


def test_a_machine_without_a_gpu_is_told_apart(monkeypatch):
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0, raising=False)
    with pytest.raises(ProviderUnavailable, match="no GPU on this machine"):
        GpuIndex(8)
