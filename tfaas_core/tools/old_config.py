"""Old config: the JSON configuration of an original TFaaS server, and the TOML it becomes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tfaas_core.config import checked_tables
from tfaas_core.errors import ConfigError
from tfaas_core.tools.toml_text import quoted

_NO_PLACE = {
    "staticdir": "no pages or files of this folder are served",
    "configproto": "TensorFlow's options are chosen for each model when it is loaded; see [engine]",
    "logfile": "the log goes to stderr: `tfaas serve 2>> tfaas.log`, or systemd's journal",
    "servercrt": "TLS takes serverCrt and serverKey, both",
    "serverkey": "TLS takes serverCrt and serverKey, both",
    "rate": "it is no limit like 100-S; see [plugins.rate_limit]",
    "monitrecord": "it is neither true nor false",
}
"""Keys that nothing here takes, in lower case, and what to do instead."""


class OldConfig:
    """What a ``config.json`` says. Go reads its keys in any case."""

    def __init__(self, file: Path, document: dict[str, Any]) -> None:
        self._file = file
        self._document = document
        self._values = {key.lower(): value for key, value in document.items()}

    @classmethod
    def read(cls, file: Path) -> OldConfig:
        """Raises ConfigError if the file cannot be read, or is no JSON object."""
        try:
            document = json.loads(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{file} is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise ConfigError(f"{file} is not a JSON object, as the configuration of TFaaS was")
        return cls(file, document)

    def toml(self) -> str:
        """The whole ``tfaas.toml``, with what has no place in it as comments.

        Raises ConfigError if a value is not of the type that the original server read, or one that
        nothing here takes, a port beyond 65535, say.
        """
        lines = [
            *self._server(),
            "",
            *self._storage(),
            *self._engine(),
            *self._rate_limit(),
            *self._monit(),
        ]
        if left := list(self._left_over()):
            lines += ["", "# Without a place here:", *left]
        text = "\n".join(lines) + "\n"
        checked_tables(tomllib.loads(text), f"{self._file}, as TOML")
        return text

    def _server(self) -> Iterator[str]:
        yield "[server]"
        yield 'host = "0.0.0.0"  # as before: every address; "127.0.0.1": this machine alone'
        yield "open = true  # as before: whoever reaches the port may do everything"
        yield f"port = {self._number('port', 8083)}"
        if base := self._text("base").strip("/"):
            yield f"base = {quoted(f'/{base}')}"
        if self._is_tls:
            yield f"tls_cert = {quoted(self._text('serverCrt'))}"
            yield f"tls_key = {quoted(self._text('serverKey'))}"
        if self._number("verbose", 0) > 1:
            yield 'log_level = "debug"'

    @property
    def _is_tls(self) -> bool:
        return bool(self._text("serverCrt") and self._text("serverKey"))

    def _storage(self) -> Iterator[str]:
        models = self._text("modelDir").rstrip("/") or "models"
        yield "[storage]"
        command = f"tfaas import {_shown(models)}{self._url_option()}"
        yield f"# A new folder; once the server runs, this fills it: {command}"
        yield f"root = {quoted(f'{models}-tfaas')}"

    def _url_option(self) -> str:
        """What a command needs to find the server; empty if it is where commands look."""
        port, base = self._number("port", 8083), self._text("base").strip("/")
        if (port, base, self._is_tls) == (8083, "", False):
            return ""
        scheme = "https" if self._is_tls else "http"
        return " --url " + _shown(f"{scheme}://localhost:{port}/{base}".rstrip("/"))

    def _engine(self) -> Iterator[str]:
        if (limit := self._number("cacheLimit", 0)) > 0:
            yield from ("", "[engine]", f"max_loaded_models = {limit}")

    def _rate_limit(self) -> Iterator[str]:
        if self._has_rate():
            rate = quoted(self._text("rate"))
            yield from ("", "[plugins.rate_limit]", f"client = {rate}  # {_FOR_RATES}")

    def _monit(self) -> Iterator[str]:
        if self._has_monit():
            yield from ("", "[plugins.access_log]", "enabled = true", 'format = "monit"')

    def _has_monit(self) -> bool:
        return self._values.get("monitrecord") is True

    def _has_rate(self) -> bool:
        return re.fullmatch("[1-9][0-9]{0,8}-[SMHDsmhd]", str(self._values.get("rate"))) is not None

    def _left_over(self) -> Iterator[str]:
        taken = _TAKEN | ({"servercrt", "serverkey"} if self._is_tls else set())
        for key, value in self._document.items():
            reason = _NO_PLACE.get(key.lower(), "TFaaS has no such key")
            is_taken = key.lower() in taken or (key.lower() == "rate" and self._has_rate())
            is_taken = is_taken or (key.lower() == "monitrecord" and self._has_monit())
            if not is_taken and value not in ("", 0, False, None):
                yield f"# {_one_line(key)} = {_one_line(value)}: {reason}"

    def _number(self, key: str, default: int) -> int:
        return int(self._value(key, default, lambda value: type(value) is int, "a number"))

    def _text(self, key: str) -> str:
        return str(self._value(key, "", _is_text, "a string"))

    def _value(self, key: str, default: Any, fits: Callable[[Any], bool], expected: str) -> Any:
        value = self._values.get(key.lower())
        if value is None:
            return default
        if not fits(value):
            raise ConfigError(f"{key} is {_one_line(value)}, it should be {expected}")
        return value


def _is_text(value: Any) -> bool:
    """JSON can spell half of a surrogate pair, which no text holds, and NUL, which no path does."""
    return isinstance(value, str) and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)


_FOR_RATES = "of predictions, each address; takes: pip install 'tfaas[rate-limit]'"
_TAKEN = frozenset({"port", "base", "verbose", "modeldir", "cachelimit"})


def _one_line(value: Any) -> str:
    """A value in a comment, which ends with its line."""
    return json.dumps(value).replace("\x7f", "\\u007f")[:200]


def _shown(path: str) -> str:
    return path if re.fullmatch(r"[\w./~:-]+", path) else _one_line(path)
