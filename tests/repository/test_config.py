"""Settings come from the environment, then from the file, then from the defaults."""

from pathlib import Path

import pytest

from repository.config import Settings, read_settings, unknown_names
from repository.errors import SettingInvalid


def test_every_setting_has_a_default():
    assert read_settings({}) == Settings()
    assert Settings().database_url == "sqlite:///var/shanben.sqlite"
    assert Settings().store_url == "var/store"


def test_the_environment_takes_precedence_over_the_file(tmp_path):
    (tmp_path / "shanben.toml").write_text('tile_size = 256\njpeg_quality = 90\nreplicas = ["a", "b"]\n')
    settings = read_settings({"SHANBEN_TILE_SIZE": "1024", "HOME": "/"}, tmp_path)
    assert (settings.tile_size, settings.jpeg_quality, settings.replicas) == (1024, 90, ("a", "b"))


def test_values_are_converted_to_their_types():
    settings = read_settings(
        {"SHANBEN_DATA": "/srv", "SHANBEN_REPLICAS": "/a, /b", "SHANBEN_BASE_URL": "https://x.example/"}
    )
    assert (settings.data, settings.replicas, settings.base_url) == (Path("/srv"), ("/a", "/b"), "https://x.example")


@pytest.mark.parametrize("address", ["http://x.example:8000", "https://x.example/shan", "https://[::1]:1"])
def test_valid_base_urls_are_accepted(address):
    assert read_settings({"SHANBEN_BASE_URL": address}).base_url == address


@pytest.mark.parametrize(
    "address",
    [
        "library.example",
        "library.example:8000",
        "//library.example",
        "ftp://library.example",
        "https://",
        "https:///",
        "https://library.example:x",
        "https://library.example:0",
        "https://library.example?",
        "https://library.example/?a=b",
        "https://library.example/#a",
        "https://library.example/a b",
        "https://library.example\n",
        "https://[library.example",
    ],
)
def test_invalid_base_urls_are_refused(address):
    with pytest.raises(SettingInvalid, match="base_url.*https://"):
        read_settings({"SHANBEN_BASE_URL": address})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tile_sise = 1", "tile_sise"),
        ("tile_size = 'x'", "tile_size"),
        ("tile_size = 1", "tile_size"),
        ("=", "shanben.toml"),
        ("data = ['a']", "data"),
        ("database = ['a']", "database"),
        ("store = true", "store"),
        ("replicas = 5", "replicas"),
        ("replicas = [true]", "replicas"),
        ("replicas = [['a']]", "replicas"),
        ("embedders = {a = 'b'}", "embedders"),
        ("tile_size = 512.5", "tile_size"),
        ("tile_size = inf", "tile_size"),
        ('data = "a\\u0000b"', "data.*NUL"),
        ('replicas = ["a\\u0000b"]', "replicas.*NUL"),
    ],
)
def test_an_invalid_file_is_refused_with_the_name_of_the_setting(tmp_path, text, name):
    (tmp_path / "shanben.toml").write_text(text)
    with pytest.raises(SettingInvalid, match=name):
        read_settings({}, tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "shanben.toml").write_text("tile_size = 512")

    def refuse(path, *arguments):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(SettingInvalid, match=r"shanben\.toml.*Permission denied"):
        read_settings({}, tmp_path)


def test_mistyped_names_in_the_environment_are_reported():
    assert unknown_names({"SHANBEN_DATTA": "x", "SHANBEN_DATA": "x", "PATH": "x"}) == ["SHANBEN_DATTA"]
