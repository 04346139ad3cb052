"""TokenGuardTable: ``[plugins.token_guard]``, and the holders of tokens that it names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_args

from msgspec import Meta, Struct

from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError
from tfaas_core.route import Right
from tfaas_core.secret import SecretPlace, resolve
from tfaas_core.settings.checks import as_table
from tfaas_plugins.token_guard.holder import Holder, digest_of

NAME = "token_guard"
_PATH = f"$.plugins.{NAME}"
_ALL: tuple[Right, ...] = get_args(Right)
_DIGEST = re.compile("[0-9a-f]{64}")


class TokenEntry(SecretPlace, frozen=True, kw_only=True):
    """How somebody is known, and what he may do. It has one of ``sha256``, ``env``, ``file`` and
    ``subject``."""

    sha256: str | None = None
    """The token's SHA-256, in hexadecimal, as ``tfaas token new`` prints it."""
    subject: str | None = None
    """That of a certificate, for clients that send no token: see ClientAddress."""
    rights: tuple[Right, ...] = _ALL
    models: tuple[str, ...] = ("*",)
    """Patterns of whole names: * is any text, ? one character, [ab] one of these."""
    expires: str = ""
    """A day, which is its first moment, or a time, as ISO 8601 has them; UTC if it says no zone."""

    def __post_init__(self) -> None:
        ways = (self.sha256, self.env, self.file, self.subject)
        if sum(each is not None for each in ways) != 1 or self.subject == "":
            raise ValueError("Expected one of `sha256`, `env`, `file` and `subject`")
        if self.sha256 is not None and not _DIGEST.fullmatch(self.sha256):
            raise ValueError(
                "Expected `sha256` to be 64 digits of 0-9 and a-f; `tfaas token new` makes one"
            )
        self.expires_s()

    def expires_s(self) -> float | None:
        """When it ends, in seconds since 1970; None: never."""
        if not self.expires:
            return None
        try:
            moment = datetime.fromisoformat(self.expires)
        except ValueError:
            raise ValueError(
                f'Expected `expires` to be like "2027-01-31", got {self.expires[:40]!r}'
            ) from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


Entry = Annotated[str, Meta(min_length=1)] | TokenEntry


class TokenGuardTable(Struct, frozen=True):
    """``[plugins.token_guard]``: who may ask."""

    tokens: dict[str, Entry] = {}
    """Names, each with the token that it sends as Authorization: Bearer TOKEN, or with a table: of
    sha256, env, file or subject, and of rights, models and expires. None, and no file: no guard."""
    file: str = ""
    """A TOML file of such names with their tables, each a line; empty: none."""

    @property
    def asks(self) -> bool:
        """Whether tokens are asked for."""
        return bool(self.tokens or self.file)


def holders_of(table: TokenGuardTable, base_dir: Path) -> list[Holder]:
    """All whom the table and its file name. Raises ConfigError, which never names a token."""
    holders = [_holder(name, entry, base_dir) for name, entry in table.tokens.items()]
    if table.file:
        path = configured_path(table.file, base_dir, f"{_PATH}.file")
        for name, entry in _entries(path).items():
            if name in table.tokens:
                raise ConfigError(f"{path}: `{name}` is a name in `{_PATH}.tokens`, too")
            holders.append(_holder(name, entry, path.parent))
    first: dict[bytes | str, str] = {}
    for holder in holders:
        if (other := first.setdefault(holder.known_by, holder.name)) != holder.name:
            what = "token" if isinstance(holder.known_by, bytes) else "subject"
            raise ConfigError(f"`{other}` and `{holder.name}` have the same {what} - at `{_PATH}`")
    return holders


def _holder(name: str, entry: Entry, base_dir: Path) -> Holder:
    if not name.isprintable() or not name:
        raise ConfigError(f"{name!r} is no name for logs: it is not one line - at `{_PATH}.tokens`")
    key = f"{_PATH}.tokens.{name}"
    if isinstance(entry, str):
        return Holder(name, digest_of(resolve(entry, base_dir, key)), frozenset(_ALL))
    known_by: bytes | str
    if entry.subject is not None:
        known_by = entry.subject
    elif entry.sha256 is not None:
        known_by = bytes.fromhex(entry.sha256)
    else:
        known_by = digest_of(resolve(SecretPlace(env=entry.env, file=entry.file), base_dir, key))
    return Holder(name, known_by, frozenset(entry.rights), entry.models, entry.expires_s())


def _entries(path: Path) -> Mapping[str, TokenEntry]:
    """What the file says. Raises ConfigError."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        for name, entry in document.items():
            if not isinstance(entry, dict):
                raise ValueError(f"Expected a table, got `{type(entry).__name__}` - at `$.{name}`")
        return {name: as_table(entry, TokenEntry, f"$.{name}") for name, entry in document.items()}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror} - at `{_PATH}.file`") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}, which is `{_PATH}.file`") from None
