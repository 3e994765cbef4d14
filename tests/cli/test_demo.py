from app.cli.demo import settings_in
from app.config import read_settings


def test_the_networks_are_those_that_were_pulled(tmp_path, monkeypatch):
    monkeypatch.delenv("ARCID_MODELS_DIR", raising=False)
    settings = settings_in(tmp_path)
    assert settings.data_dir == tmp_path
    assert settings.models_dir == read_settings().models_dir
