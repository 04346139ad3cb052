"""The page at ``/``, a plugin: models, uploads, predictions and load, for people with a browser.

It is made of static files, and asks the server by the public HTTP API alone, as any client does. So
everybody may have the files, and guards decide what they show.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tfaas_core.hookspecs import hookimpl
from tfaas_core.route import Route
from tfaas_core.static_files import StaticFiles

_SITE = Path(__file__).parent / "site"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
"""Scripts, styles and answers come from this server, and no text becomes HTML."""


@hookimpl
def tfaas_register_routes() -> Iterable[Route]:
    """``GET /``, and below ``/page`` what it loads."""
    headers = {"Content-Security-Policy": _POLICY}
    # What else lies at the top belongs to the API: a path that nobody serves stays a 404.
    index, _ = StaticFiles("/", _SITE, headers=headers, public=True)
    _, assets = StaticFiles("/page", _SITE / "assets", headers=headers, public=True)
    return [index, assets]
