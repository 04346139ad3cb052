from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tfaas_core.errors import ConfigError
from tfaas_core.secret import Secret, SecretPlace, resolve

KEY = "$.storage.url"


def test_a_text_is_itself(tmp_path: Path) -> None:
    assert resolve(msgspec.convert("x", Secret), tmp_path, KEY) == "x"


def test_a_variable_and_a_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", "from the variable")
    (tmp_path / "secret").write_text("from the file\n")
    assert resolve(SecretPlace(env="THE_SECRET"), tmp_path, KEY) == "from the variable"
    assert resolve(SecretPlace(file="secret"), tmp_path, KEY) == "from the file"
    assert resolve(SecretPlace(file=f"{tmp_path}/secret"), Path(), KEY) == "from the file"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve(SecretPlace(file="~/secret"), Path("/elsewhere"), KEY) == "from the file"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (SecretPlace(env="NOT_SET"), "the environment variable NOT_SET is empty or not there"),
        (SecretPlace(file="empty"), "the file empty is empty or not there"),
        (SecretPlace(file="none"), "cannot be read: No such file or directory"),
        (
            SecretPlace(file="~nobody-of-this-name/secret"),
            "no home folder '~nobody-of-this-name'; write",
        ),
        (SecretPlace(file="binary"), "cannot be read: it is no text file"),
        (SecretPlace(file="n\0l"), "cannot be read: it is no text file"),
        (SecretPlace(), "name either `env` or `file`"),
        (SecretPlace(env="A", file="b"), "name either `env` or `file`"),
    ],
)
def test_what_is_not_there_is_a_wrong_configuration_that_names_the_key(
    tmp_path: Path, place: SecretPlace, message: str
) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as caught:
        resolve(place, tmp_path, KEY)
    assert message in caught.value.message
    assert caught.value.message.endswith("- at `$.storage.url`")


@pytest.mark.parametrize("value", ["", 1, {"env": 1}, {"variable": "A"}, ["A"]])
def test_what_says_no_place_is_refused(value: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, Secret)
