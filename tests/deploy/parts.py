"""Where deploy/ is, and what its tests need of the machine."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "tfaas"

CI = os.environ.get("CI") == "true"


SANDBOXED = ("engine.sandbox=required", "server.sandbox=required")
"""Settings of a server that starts only if all parts of its sandboxes work."""


def python_below(file: Path, command: Sequence[str]) -> str:
    """Python, as what ``command`` starts: a program, which is written into ``file``."""
    file.write_text(f'#!/bin/sh\nexec {shlex.join([*command, sys.executable])} "$@"\n')
    file.chmod(0o755)
    return str(file)


def needs_program(name: str, package: str) -> pytest.MarkDecorator:
    """Skips a test where a program of the system is missing, but for CI."""
    missing = shutil.which(name) is None and not CI
    return pytest.mark.skipif(missing, reason=f"apt-get install {package}")


def _needs_module(name: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(name) is None and not CI
    return pytest.mark.skipif(missing, reason="make deploy-tools")


needs_grafana = _needs_module("grafana_foundation_sdk")
needs_helm = _needs_module("helm_python")
needs_schemas = _needs_module("kubernetes_validate")
needs_yaml = _needs_module("yaml")
needs_yamllint = _needs_module("yamllint")

# pip puts it beside Python, which need not be on PATH.
HADOLINT = Path(sys.executable).with_name("hadolint")
needs_hadolint = pytest.mark.skipif(not HADOLINT.exists() and not CI, reason="make deploy-tools")
