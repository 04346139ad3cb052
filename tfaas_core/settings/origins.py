"""Origins: whether the values of ``[cors]`` are what browsers send."""

from __future__ import annotations

import re

from tfaas_core.settings.tables import CorsTable

_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_DEFAULT_PORTS = ("http", ":80"), ("https", ":443")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def wrong_cors(table: CorsTable) -> str:
    """What is wrong with the table, with the path of the key; empty if nothing is."""
    for index, origin in enumerate(table.origins):
        if origin != "*" and not _is_origin(origin):
            return (
                "Expected an origin as browsers send it, like `https://lab.example` or "
                f"`http://localhost:3000`, or `*`, got `{origin}` - at `$.cors.origins[{index}]`"
            )
    if table.credentials and "*" in table.origins:
        return "Expected origins by name, as browsers do, not `*` - at `$.cors.credentials`"
    for key in ("methods", "request_headers", "exposed_headers"):
        for index, value in enumerate(getattr(table, key)):
            if _TOKEN.fullmatch(value) is None:
                return f"Expected a name, got `{value}` - at `$.cors.{key}[{index}]`"
    return ""


def _is_origin(text: str) -> bool:
    if _ORIGIN.fullmatch(text) is None:
        return False
    # Browsers leave these out.
    scheme = text.partition(":")[0]
    return not any(scheme == name and text.endswith(port) for name, port in _DEFAULT_PORTS)
