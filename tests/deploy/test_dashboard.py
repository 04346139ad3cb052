"""The dashboard is of Grafana's own format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.deploy.dashboard import dashboard
from tests.deploy.parts import needs_grafana

pytestmark = needs_grafana


def test_the_types_of_grafana_know_all_that_it_says() -> None:
    """They leave out what they do not know, such as a misspelt option."""
    left_out = set(_left_out(dashboard(), _read_and_written(dashboard())))
    # Which Grafana writes, and its types lack.
    assert {each for each in left_out if not each.endswith(".definition")} == set()


def test_what_they_do_not_know_is_noticed() -> None:
    board = dashboard()
    board["panels"][0]["fieldConfig"]["defaults"]["units"] = "s"
    board["panels"][0]["targets"][0]["expression"] = "up"
    left_out = set(_left_out(board, _read_and_written(board)))
    assert "$.panels[0].fieldConfig.defaults.units" in left_out
    assert "$.panels[0].targets[0].expression" in left_out


def _read_and_written(board: Any) -> Any:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(board)))


def _left_out(before: Any, after: Any, at: str = "$") -> Iterator[str]:
    """The places of what is another, or no more."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from _left_out(value, after.get(key), f"{at}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, value in enumerate(before):
            yield from _left_out(value, after[place], f"{at}[{place}]")
    elif before != after:
        yield at
