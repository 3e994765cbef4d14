"""Without the extra `train`, nothing in this folder is imported; the summary names the remedy once."""

import importlib.util

import pytest

MISSING = [name for name in ("torch", "tensorboard", "pyarrow", "onnxscript") if importlib.util.find_spec(name) is None]


class NotImported(pytest.Module):
    """A test file that is not imported."""

    def collect(self):
        pytest.skip(f"tests/training: {', '.join(MISSING)} not installed; run: make test TORCH=torch")


def pytest_pycollect_makemodule(module_path, parent):
    return NotImported.from_parent(parent, path=module_path) if MISSING else None
