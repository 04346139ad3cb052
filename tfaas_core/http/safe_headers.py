"""Safe headers: what keeps a browser from taking an answer for more than it is."""

from __future__ import annotations

from collections.abc import Mapping

from tfaas_core.codec import MODEL_HEADER

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'"
)
"""The Content-Security-Policy of a page that has none of its own: no script or style in the page
itself, and nothing from elsewhere."""

_ANY_KIND = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE = {
    **_ANY_KIND,
    "Content-Security-Policy": PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_PAGES = frozenset(
    ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml")
)
"""Media types in which a browser runs scripts."""


def safe_headers(media_type: str, headers: Mapping[str, str]) -> dict[str, str]:
    """``headers`` of an answer, and what they lack to be safe in a browser.

    What is there stays: a plugin may set a policy of its own. Predictions get nothing, unless they
    are pages: of those there are many, and they are data to whoever asks for them.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind in _PAGES:
        lacking = _PAGE
    elif MODEL_HEADER in headers:
        return dict(headers)
    else:
        lacking = _ANY_KIND
    given = {name.lower() for name in headers}
    more = {name: value for name, value in lacking.items() if name.lower() not in given}
    return {**headers, **more}
