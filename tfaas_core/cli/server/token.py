"""``tfaas token``: tokens for the token guard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

_RIGHTS = ("read", "predict", "upload", "delete", "admin")
_RANDOM_BYTES = 32
_PREFIX = "tfaas_"
"""So that those who look for secrets in what is published find it."""


@click.group(epilog="Example: tfaas token new --name alice")
def token() -> None:
    """Make tokens for the clients of a server."""


def _listed(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _rights(context: click.Context, option: click.Parameter, text: str | None) -> list[str] | None:
    rights = _listed(context, option, text)
    for right in rights or ():
        if right not in _RIGHTS:
            raise click.BadParameter(f"{right!r} is none of {', '.join(_RIGHTS)}")
    return rights


def _moment(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """A time like ``2027-01-31T12:00:00Z``, or a day as it stands."""
    if text is None:
        return None
    if days := re.fullmatch("([0-9]{1,5})d", text):
        moment = datetime.now(UTC) + timedelta(days=int(days[1]))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not like 90d, or 2027-01-31") from None
    return text


def _name(_context: click.Context, _option: click.Parameter, name: str) -> str:
    if not name or not name.isprintable():
        raise click.BadParameter("logs show it: it is one line that is not empty")
    return name


@token.command(epilog="Example: tfaas token new --name alice --rights read,predict >> tokens.toml")
@click.option(
    "--name", default="client", show_default=True, callback=_name, help="Who gets it, for logs."
)
@click.option(
    "--rights",
    metavar="LIST",
    callback=_rights,
    help=f"Some of {','.join(_RIGHTS)}. By default all.",
)
@click.option(
    "--models",
    metavar="LIST",
    callback=_listed,
    help="Patterns of names, like top-*,vk. By default all models.",
)
@click.option(
    "--expires",
    metavar="WHEN",
    callback=_moment,
    help="In days, like 90d, or a day, like 2027-01-31. By default never.",
)
def new(
    name: str,
    rights: Sequence[str] | None,
    models: Sequence[str] | None,
    expires: str | None,
) -> None:
    """Make a new token, and print it on stderr, once.

    On stdout is the line for the table [plugins.token_guard.tokens], or for the file that
    plugins.token_guard.file names. It holds no token, but a hash of it. SIGHUP has the server
    read it.
    """
    import secrets
    from hashlib import sha256

    from tfaas_core.tools.toml_text import key_text, value_text

    made = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    entry = {"sha256": sha256(made.encode()).hexdigest()}
    said = {"rights": rights, "models": models, "expires": expires}
    click.echo(f"{key_text(name)} = {value_text(entry | said)}")
    click.echo(f"the token of {name}, which is kept nowhere: {made}", err=True)
