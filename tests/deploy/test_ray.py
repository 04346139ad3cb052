"""What KubeRay and the chart are told for models on nodes of Ray, beside what TFaaS reads."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.parts import DEPLOY, needs_helm, needs_schemas, needs_yaml
from tests.deploy.test_chart import KUBERNETES, container, manifests
from tfaas_core.config import Config, load_config
from tfaas_core.plugins import load_plugins

pytestmark = needs_yaml

CRD = os.environ.get("RAYCLUSTER_CRD", "")
"""KubeRay's own description of a RayCluster, which is not part of this project."""


def read(name: str) -> Any:
    import yaml

    return yaml.safe_load((DEPLOY / "kubernetes" / name).read_text())


def groups() -> tuple[Any, Any]:
    """Those of the head, and of the nodes of models."""
    spec = read("raycluster.yaml")["spec"]
    (models,) = spec["workerGroupSpecs"]
    return spec["headGroupSpec"], models


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """What servers and hosts run by, as far as the values say it."""
    file = tmp_path / "tfaas.toml"
    file.write_text(read("ray-values.yaml")["config"])
    return load_plugins().configured(load_config(file, (), {}))


@needs_schemas
def test_kubernetes_knows_each_field_of_the_pods() -> None:
    from kubernetes_validate import validate

    for group in groups():
        metadata = {"name": "ray", **group["template"]["metadata"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        for version in KUBERNETES:
            validate({**pod, "spec": group["template"]["spec"]}, version, strict=True)


@pytest.mark.skipif(not CRD, reason="RAYCLUSTER_CRD=.../ray.io_rayclusters.yaml, of KubeRay")
def test_kuberay_knows_each_field() -> None:
    import yaml
    from jsonschema import validate

    described = yaml.safe_load(Path(CRD).read_text())["spec"]["versions"]
    (schema,) = (each["schema"]["openAPIV3Schema"] for each in described if each["name"] == "v1")
    schema["properties"]["metadata"] = True
    validate(read("raycluster.yaml"), _closed(schema))


def _closed(schema: Any) -> Any:
    """The same, but nothing may be there that it does not name."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


def test_kuberay_asks_whether_ray_is_well_where_ray_answers() -> None:
    """Its own probes ask an agent which the extra ray does not bring, and would kill each pod."""
    for group, port in zip(groups(), ("port", "node-manager-port"), strict=True):
        (ray,) = group["template"]["spec"]["containers"]
        asked = [ray[f"{what}Probe"]["grpc"]["port"] for what in ("readiness", "liveness")]
        assert asked == [int(group["rayStartParams"][port])] * 2


def test_nodes_start_by_what_kuberay_says_as_a_shell_reads_it() -> None:
    """Such as resources, which are JSON between quotation marks."""
    said = r'printf %s, --resources="{\"models\": 1}" --num-cpus=4'
    for group in groups():
        (ray,) = group["template"]["spec"]["containers"]
        started = subprocess.run(
            ray["command"],
            env={**os.environ, "KUBERAY_GEN_RAY_START_CMD": said},
            capture_output=True,
            text=True,
            check=True,
        )
        room = json.dumps({"models": 1})
        assert started.stdout == f"--resources={room},--num-cpus=4,"


def test_hosts_fit_on_their_nodes_and_the_autoscaler_may_start_as_many(config: Config) -> None:
    head, models = groups()
    table = config.engine_settings("ray")
    assert (table.min_hosts, table.max_hosts) == (models["minReplicas"], models["maxReplicas"])
    assert table.num_cpus == float(models["rayStartParams"]["num-cpus"])
    assert head["rayStartParams"]["num-cpus"] == "0"
    cluster = read("raycluster.yaml")["metadata"]["name"]
    assert table.address == f"ray://{cluster}-head-svc:10001"


@needs_helm
def test_servers_reach_hosts_and_both_find_the_same_secrets(config: Config) -> None:
    made = manifests(read("ray-values.yaml"))
    (policy,) = [each for name, each in made.items() if name.startswith("NetworkPolicy")]
    rules = policy["spec"]["egress"]
    assert {p["port"] for rule in rules for p in rule["ports"]} >= {10001, 8090}
    _head, models = groups()
    (ray,) = models["template"]["spec"]["containers"]
    token = config.engine_settings("remote").token
    for each in (container(made), ray):
        mounted = {Path(mount["mountPath"]) for mount in each["volumeMounts"]}
        assert mounted >= {Path("/etc/tfaas/database"), Path("/var/lib/tfaas")}
        assert not mounted.isdisjoint(Path(token.file).parents)
