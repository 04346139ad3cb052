"""What deploy/ has for Prometheus and Grafana names metrics and labels that there are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tfaas_plugins.metrics.families import ALL

from tests.deploy.dashboard import asked, dashboard
from tests.docs.markdown import ROOT

DEPLOY = ROOT / "deploy"
CI = os.environ.get("CI") == "true"

LABELS_OF_PROMETHEUS = {"job", "instance"}
LABELS_OF_KUBERNETES = {"namespace", "pod"}
"""Which deploy/prometheus-kubernetes.yml sets."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and not CI, reason="apt-get install prometheus"
)


def of_dashboard() -> Iterator[str]:
    board = dashboard()
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def expressions() -> list[str]:
    return [(DEPLOY / "alerts.yml").read_text(), *of_dashboard()]


def test_all_metrics_that_are_named_exist_with_the_labels_that_are_asked_for() -> None:
    labels = {sample: {*each.labels, "le"} for each in ALL for sample in each.samples}
    used = set()
    for said in expressions():
        for name, chosen in re.findall(r"\b(tfaas_\w+)(?:\{([^}]*)\})?", said):
            assert name in labels, f"there is no {name}, in {said}"
            own = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", chosen)) - LABELS_OF_PROMETHEUS
            assert own <= labels[name], f"{name} has no {own - labels[name]}, in {said}"
            used.add(name)
    assert len(used) > 20


def adapter_query(matchers: str, by: str) -> str:
    """What prometheus-adapter asks, of pods and by labels that it fills in."""
    text = (DEPLOY / "prometheus-adapter.yml").read_text()
    found = re.search(r"metricsQuery: >-\n((?: {8}.+\n)+)", text)
    assert found is not None
    said = " ".join(found[1].split())
    return said.replace("<<.LabelMatchers>>", matchers).replace("<<.GroupBy>>", by)


def test_the_metrics_that_an_autoscaler_asks_for_exist() -> None:
    samples = {sample for each in ALL for sample in each.samples}
    named = re.findall(r"\btfaas_\w+", (DEPLOY / "prometheus-adapter.yml").read_text())
    assert set(named) == {"tfaas_models", "tfaas_queue_rows"} <= samples
    relabelled = (DEPLOY / "prometheus-kubernetes.yml").read_text()
    targets = set(re.findall(r"target_label: (\w+)", relabelled))
    assert targets == LABELS_OF_KUBERNETES
    chart = (DEPLOY / "helm/tfaas/templates/horizontalpodautoscaler.yaml").read_text()
    assert "name: tfaas_queue_rows" in chart


@needs_promtool
def test_a_pod_without_a_loaded_model_has_no_rows_that_wait(tmp_path: Path) -> None:
    """Of the second pod's metric an autoscaler would know nothing, and take no pod away."""
    query = adapter_query('namespace="n",pod=~"a|b"', "pod")
    series = {
        'tfaas_models{namespace="n",pod="a"}': "5",
        'tfaas_models{namespace="n",pod="b"}': "5",
        'tfaas_queue_rows{namespace="n",pod="a",model="x"}': "30",
        'tfaas_queue_rows{namespace="n",pod="a",model="y"}': "12",
    }
    told = [{"labels": '{pod="a"}', "value": 42}, {"labels": '{pod="b"}', "value": 0}]
    test = {
        "input_series": [{"series": name, "values": value} for name, value in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": "0s", "exp_samples": told}],
    }
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"tests": [test]}))
    checked = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_sums_are_by_labels_that_the_metric_has() -> None:
    labels = {sample: {*each.labels, "le"} for each in ALL for sample in each.samples}
    for said in expressions():
        for by, name in re.findall(r"by \(([^)]+)\)\s*\((?:rate|increase)?\(?(tfaas_\w+)", said):
            asked = set(re.split(r",\s*", by)) - LABELS_OF_PROMETHEUS
            assert asked <= labels[name], f"{name} has no {asked - labels[name]}, in {said}"


def test_no_two_panels_lie_over_each_other() -> None:
    cells = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in cells, panel["title"]
                cells.add((x, y))


@needs_promtool
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    for what in (["rules", "alerts.yml"], ["config", "prometheus.yml"]):
        checked = subprocess.run(
            ["promtool", "check", *what], cwd=DEPLOY, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
def test_promtool_takes_each_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": each.query} for n, each in enumerate(asked())]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
