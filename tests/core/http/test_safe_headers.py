"""What answers have so that a browser takes them for no more than they are."""

from __future__ import annotations

import pytest

from tfaas_core.http.safe_headers import PAGE_POLICY, safe_headers

OF_PAGES = {
    "Content-Security-Policy": PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OF_ALL = {name: OF_PAGES[name] for name in OF_PAGES if name in ("X-Content-Type-Options",)}
OF_ALL["Cross-Origin-Resource-Policy"] = "same-origin"


@pytest.mark.parametrize(
    "media_type",
    ["text/html", "text/html; charset=utf-8", "TEXT/HTML;x=y", "image/svg+xml", "application/xml"],
)
def test_a_page_runs_nothing_but_its_own_files_and_is_framed_by_nobody(media_type: str) -> None:
    assert safe_headers(media_type, {}) == OF_PAGES
    # A prediction, too.
    assert safe_headers(media_type, {"TFaaS-Model": "vk/1"}) == OF_PAGES | {"TFaaS-Model": "vk/1"}
    assert "'unsafe" not in PAGE_POLICY


def test_all_else_is_not_guessed_at() -> None:
    assert safe_headers("application/gzip", {"ETag": "x"}) == OF_ALL | {"ETag": "x"}
    assert safe_headers("application/json", {}) == OF_ALL


def test_a_prediction_gets_nothing_more() -> None:
    assert safe_headers("application/json", {"TFaaS-Model": "vk/1"}) == {"TFaaS-Model": "vk/1"}


def test_what_a_plugin_sets_stays_whatever_the_case_of_its_name() -> None:
    own = {"content-security-policy": "default-src 'none'", "X-FRAME-OPTIONS": "SAMEORIGIN"}
    safe = safe_headers("text/html", own)
    assert own.items() <= safe.items()
    assert len(safe) == len(OF_PAGES)
