"""Prints Kubernetes manifests, as `helm template tfaas deploy/helm/tfaas` does, without helm.

pip install 'tfaas[deploy]'
python deploy/kubernetes/render.py deploy/kubernetes/values.yaml > deploy/kubernetes/tfaas.yaml
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart

CHART = Path(__file__).parents[1] / "helm" / "tfaas"

HEADER = """\
# Made of deploy/helm/tfaas by `make manifests`: change the chart, or deploy/kubernetes/values.yaml.
# It takes the namespace, and Secrets with the database's URL and with tokens:
#   kubectl create namespace tfaas
#   kubectl -n tfaas create secret generic tfaas-database --from-file=url=FILE
#   kubectl -n tfaas create secret generic tfaas-tokens --from-file=FOLDER  # files admin, clients
"""


def rendered(values: Mapping[str, Any], name: str = "tfaas", namespace: str = "tfaas") -> str:
    """The manifests of the chart with these values, file by file, as YAML."""
    with Chart.load(CHART) as chart:
        files = chart.render(values=dict(values), name=name, namespace=namespace)
    texts = (text.strip() for path, text in sorted(files.items()) if path.endswith(".yaml"))
    return HEADER + "".join(f"---\n{text}\n" for text in texts if text)


def main() -> None:
    """Prints them for the values of a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("values", type=Path)
    parser.add_argument("--namespace", default="tfaas")
    asked = parser.parse_args()
    values = yaml.safe_load(asked.values.read_text(encoding="utf-8"))
    print(rendered(values, namespace=asked.namespace), end="")


if __name__ == "__main__":
    main()
