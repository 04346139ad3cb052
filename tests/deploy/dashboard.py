"""The dashboard of deploy/, and what Grafana would ask Prometheus for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.deploy.parts import DEPLOY

_FILLED_IN = {"$job": "tfaas", "$instance": ".*", "$model": ".*", "$__rate_interval": "1m"}


class Asked(NamedTuple):
    """One of a panel's queries: PromQL, with the choices of somebody who wants to see all."""

    panel: str
    query: str


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana.json").read_text())


def asked() -> list[Asked]:
    """By all panels."""
    return [
        Asked(panel["title"], filled_in(target["expr"]))
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    ]


def choices() -> Iterator[tuple[str, str]]:
    """Of each variable: the label whose values it offers, and of which series."""
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            said = filled_in(variable["query"]["query"])
            series, _, label = said.removeprefix("label_values(").rstrip(")").rpartition(", ")
            yield label, series


def filled_in(said: str) -> str:
    for name, value in _FILLED_IN.items():
        said = said.replace(name, value)
    return said
