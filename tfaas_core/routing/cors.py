"""Cors: what browsers are told, so that scripts of other origins may read answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from tfaas_core.fields import Headers
from tfaas_core.route import Head, Response

_ALL = "*"

_NOTHING: Mapping[str, str] = {}


class Cors:
    """Allows ``origins``; the other arguments are what the keys of ``[cors]`` say."""

    def __init__(
        self,
        origins: Iterable[str],
        methods: Iterable[str],
        request_headers: Iterable[str],
        exposed_headers: Iterable[str],
        credentials: bool,
        max_age_s: int,
    ) -> None:
        self._origins = frozenset(origins)
        self._methods = tuple(methods)
        self._request_headers = ", ".join(request_headers)
        self._exposed = ", ".join(exposed_headers)
        self._credentials = credentials
        self._max_age_s = max_age_s
        self._of_origin = lru_cache(256)(self._headers_for)

    def headers(self, asked: Headers, given: Mapping[str, str]) -> Mapping[str, str]:
        """Those of an answer that has the headers ``given``, to a request that has ``asked``."""
        headers = self._of_origin(asked.get("origin", ""))
        vary = next((value for name, value in given.items() if name.lower() == "vary"), "")
        if not vary or "Vary" not in headers:
            return headers
        return {**headers, "Vary": f"{vary}, {headers['Vary']}"}

    def preflight(self, head: Head, served: Collection[str]) -> Response | None:
        """What a browser is told before a request by one of the methods ``served`` at a path.

        None if this is no such question. It carries no token, so no guard is asked, and tells
        nothing but what the configuration says.
        """
        asked = head.headers
        if "access-control-request-method" not in asked or "origin" not in asked:
            return None
        headers = {"Vary": "Access-Control-Request-Method, Access-Control-Request-Headers"}
        if self.allows(asked["origin"]):
            allowed = [method for method in self._methods if method in served]
            headers |= {
                "Access-Control-Allow-Methods": ", ".join(allowed),
                "Access-Control-Allow-Headers": self._request_headers,
                "Access-Control-Max-Age": str(self._max_age_s),
            }
        return Response(
            status=204, headers={name: value for name, value in headers.items() if value}
        )

    def allows(self, origin: str) -> bool:
        """Whether scripts of this origin may ask."""
        return bool(origin) and (origin in self._origins or _ALL in self._origins)

    def _headers_for(self, origin: str) -> Mapping[str, str]:
        # Whoever keeps an answer may not hand it to another origin, unless it is for all.
        headers = _NOTHING if _ALL in self._origins else {"Vary": "Origin"}
        if not self.allows(origin):
            return headers
        allowed = _ALL if _ALL in self._origins else origin
        headers = {**headers, "Access-Control-Allow-Origin": allowed}
        if self._exposed:
            headers["Access-Control-Expose-Headers"] = self._exposed
        if self._credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        return headers
