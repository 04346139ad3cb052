"""The Helm chart, and the manifests that are made of it: what Kubernetes is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.parts import CHART, DEPLOY, needs_helm, needs_schemas, needs_yamllint

pytestmark = needs_helm

DATABASE = {"database": {"existingSecret": "tfaas-database"}}
EVERYTHING = {
    "config": '[server]\nlog_format = "json"\n\n[limits]\nmax_upload_bytes = 1000\n',
    "open": True,
    "basePath": "/tfaas",
    "database": {"url": "postgresql://tfaas:p%40ss@db/tfaas"},
    "image": {"repository": "registry.example.org/tfaas", "digest": "sha256:" + "ab" * 32},
    "imagePullSecrets": [{"name": "registry"}],
    "stop": {"preStopSeconds": 7, "drainDelaySeconds": 9, "requestTimeoutSeconds": 11},
    "service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}},
    "grpc": {"port": 8001},
    "tls": {"secretName": "certificate"},
    "autoscaling": {"enabled": True},
    "networkPolicy": {"from": []},
    "podLabels": {"team": "ml"},
    "podAnnotations": {"note": "here"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "models", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "env": [{"name": "NIGHTLY_TOKEN", "value": "x"}],
    "secrets": ["tokens"],
}
PROBES = ("startup", "readiness", "liveness")
KUBERNETES = ("1.30", "1.33", "1.37")


def manifests(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the chart makes of ``values``, by kind and name."""
    import yaml

    from deploy.kubernetes.render import rendered

    made = [each for each in yaml.safe_load_all(rendered(values)) if each]
    return {f"{each['kind']} {each['metadata']['name']}": each for each in made}


def container(made: Mapping[str, Any]) -> Any:
    return made["Deployment tfaas"]["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("values", [DATABASE, EVERYTHING], ids=["least", "everything"])
def test_helm_finds_nothing_wrong(values: dict[str, Any]) -> None:
    from helm_python import lint

    told = lint(CHART, values, strict=True)
    worse = [each for each in told["messages"] if each["severity"] > 1]
    assert not worse
    assert not told["errors"]


@needs_schemas
@pytest.mark.parametrize("values", [DATABASE, EVERYTHING], ids=["least", "everything"])
def test_kubernetes_knows_each_field(values: dict[str, Any]) -> None:
    from kubernetes_validate import validate

    made = manifests(values)
    assert len(made) >= 7
    for each in made.values():
        for version in KUBERNETES:
            validate(each, version, strict=True)


def test_the_plain_manifests_are_those_of_the_chart() -> None:
    here = DEPLOY / "kubernetes"
    made = subprocess.run(
        [sys.executable, str(here / "render.py"), str(here / "values.yaml")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert made == (here / "tfaas.yaml").read_text(), "make manifests"


@needs_yamllint
def test_yamllint_finds_nothing_wrong() -> None:
    files = [*DEPLOY.glob("*.y*ml"), DEPLOY / "kubernetes", *CHART.glob("*.yaml")]
    command = [sys.executable, "-m", "yamllint", "--strict", "-c", str(DEPLOY / "yamllint.yaml")]
    told = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_a_pod_has_as_long_to_stop_as_the_server_may_take() -> None:
    made = manifests(EVERYTHING)
    pod = made["Deployment tfaas"]["spec"]["template"]["spec"]
    variables = {each["name"]: each.get("value") for each in container(made)["env"]}
    assert container(made)["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    assert variables["TFAAS_SERVER__DRAIN_DELAY_S"] == "9"
    assert variables["TFAAS_SERVER__REQUEST_TIMEOUT_S"] == "11"
    assert pod["terminationGracePeriodSeconds"] == 7 + 9 + 11 + 25


def test_the_server_takes_what_the_chart_sets(tmp_path: Path) -> None:
    """``tfaas config`` reads the file and the variables, which would be errors if misspelled."""
    made = manifests(EVERYTHING)
    config = tmp_path / "tfaas.toml"
    config.write_text(made["ConfigMap tfaas"]["data"]["tfaas.toml"])
    (tmp_path / "url").write_text(made["Secret tfaas-database"]["stringData"]["url"])
    variables = {each["name"]: each["value"] for each in container(made)["env"]}
    variables["TFAAS_STORAGE__URL"] = f'{{ file = "{tmp_path / "url"}" }}'
    for end, name in (("crt", "TLS_CERT"), ("key", "TLS_KEY")):
        assert variables[f"TFAAS_SERVER__{name}"] == f"/etc/tfaas/tls/tls.{end}"
    told = _config_of(str(config), variables)
    for line in ('base = "/tfaas"', "open = true", 'kind = "sql"', 'host = "0.0.0.0"'):
        assert line in told
    assert re.search(r"max_upload_bytes = 1_?000\b", told)
    assert "port = 8001" in told


def _config_of(file: str, variables: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "tfaas_core", "config", "--config", file]
    told = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_probes_ask_below_the_base_path_by_the_servers_scheme() -> None:
    probes = [container(manifests(EVERYTHING))[f"{what}Probe"]["httpGet"] for what in PROBES]
    paths = [probe["path"] for probe in probes]
    assert paths == [f"/tfaas/health/{what}" for what in ("ready", "startup", "live")]
    assert {probe["scheme"] for probe in probes} == {"HTTPS"}


def test_no_process_of_a_pod_may_do_more_than_it_needs() -> None:
    made = manifests(DATABASE)
    pod = made["Deployment tfaas"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["automountServiceAccountToken"] is False
    rules = container(made)["securityContext"]
    assert rules["capabilities"] == {"drop": ["ALL"]}
    assert (rules["readOnlyRootFilesystem"], rules["allowPrivilegeEscalation"]) == (True, False)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "database.existingSecret"),
        ({**DATABASE, "replica": 3}, "replica"),
        ({**DATABASE, "replicas": 0}, "replicas"),
        ({**DATABASE, "resources": {"limits": {"memory": "4Gi", "cpu": None}}}, "cpu"),
        ({"database": {"url": "mysql://db/tfaas"}}, "url"),
        ({**DATABASE, "basePath": "tfaas/"}, "basePath"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], reason: str) -> None:
    from helm_python import HelmError

    with pytest.raises(HelmError, match=re.escape(reason)):
        manifests(values)


def test_the_schema_knows_each_value_of_the_chart() -> None:
    import yaml

    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) | {"global"} == set(schema["properties"])
    for key, within in schema["properties"].items():
        if within.get("additionalProperties") is False:
            assert set(values[key]) == set(within["properties"]), key
