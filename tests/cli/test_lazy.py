import gc

import pytest

from app.cli.lazy import LazyCommand


def test_imports_end_with_garbage_collection_enabled():
    command = LazyCommand("config", "app.cli.config:config", about="", panel="")
    assert command.load().name == "config"
    assert gc.isenabled()


def test_garbage_collection_is_enabled_after_a_failed_import():
    with pytest.raises(ModuleNotFoundError):
        LazyCommand("x", "app.cli.missing:x", about="", panel="").load()
    assert gc.isenabled()
