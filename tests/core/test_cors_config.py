"""What ``[cors]`` may say."""

from __future__ import annotations

import pytest

from tfaas_core.config import load_config
from tfaas_core.errors import ConfigError


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "https://lab.example",
            "http://localhost:3000",
            "http://127.0.0.1:1",
            "http://[::1]:8080",
        ),
        *("https://a-b.c:8443", "*"),
    ],
)
def test_an_origin_is_as_browsers_send_it(origin: str) -> None:
    assert load_config(overrides=[f'cors.origins=["{origin}"]']).cors.origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        *("lab.example", "https://lab.example/", "https://Lab.example", "https://lab.example/x"),
        *("https://*.example", "null", "", "ftp://lab.example", "https://lab.example:443"),
        *("http://lab.example:80", "https://u@lab.example", "https://lab.example\\nX: y"),
    ],
)
def test_what_no_browser_sends_is_an_error(origin: str) -> None:
    with pytest.raises(ConfigError, match=r"(?s)Expected an origin .* at `\$\.cors\.origins\[0\]`"):
        load_config(overrides=[f'cors.origins=["{origin}"]'])


def test_credentials_are_for_origins_by_name() -> None:
    with pytest.raises(ConfigError, match=r"at `\$\.cors\.credentials`"):
        load_config(overrides=['cors.origins=["*"]', "cors.credentials=true"])


@pytest.mark.parametrize("key", ["methods", "request_headers", "exposed_headers"])
def test_a_name_that_is_none_is_an_error(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"at `\$\.cors\.{key}\[1\]`"):
        load_config(overrides=[f'cors.{key}=["X", "a b"]'])
