"""Side: which port a route is on, if management has a port of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from tfaas_core.route import Route

Side: TypeAlias = Literal["predictions", "management"]
"""What a port is for."""

KEYS: Mapping[Side, str] = {"predictions": "server.port", "management": "server.admin_port"}
"""The key that says which port that is."""


def side_of(route: Route) -> Side:
    """What ``route`` is for: what only takes the right to predict is a prediction."""
    return "predictions" if route.right == "predict" else "management"


def is_on(route: Route, side: Side) -> bool:
    """Whether ``route`` is on the port that is for ``side``."""
    return route.public or side_of(route) == side
