"""docs/metrics.md tells of each metric what the code does."""

from __future__ import annotations

import re

from tfaas_plugins.metrics.families import ALL

from tests.docs.markdown import DOCS, rows, section, words

METRICS = DOCS / "metrics.md"
UNITS = ("_seconds", "_bytes", "_rows", "_info", "_models", "_versions", "_processes", "_hosts")


def test_each_metric_is_documented_and_each_documented_one_exists() -> None:
    documented = {
        words(name)[0]: (kind, tuple(words(labels)), meaning)
        for name, kind, labels, meaning in rows(section(METRICS, "All metrics"))
    }
    assert documented == {each.name: (each.kind, each.labels, each.meaning) for each in ALL}


def test_names_follow_the_conventions_of_prometheus() -> None:
    for family in ALL:
        assert re.fullmatch(r"tfaas_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert family.kind == "counter" or family.name.endswith(UNITS), family.name
        assert family.meaning.endswith(".")
