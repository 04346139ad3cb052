"""What images are made of, and compose.yaml, without anything that builds or runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.deploy.parts import DEPLOY, HADOLINT, needs_hadolint, needs_yaml

REQUIREMENTS = DEPLOY / "requirements.py"
ROOT = DEPLOY.parent


def requirements(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REQUIREMENTS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_hadolint
def test_hadolint_finds_nothing_wrong() -> None:
    told = subprocess.run(
        [HADOLINT, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_an_image_gets_all_that_the_project_depends_on_but_what_is_left_out() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["grpc"]]
    assert requirements("--extras", "grpc").stdout.splitlines() == wanted
    light = requirements("--extras", "grpc", "--without", "tensorflow").stdout.splitlines()
    assert [line for line in wanted if line not in light] == [
        line for line in wanted if line.startswith("tensorflow")
    ]


def test_an_extra_that_there_is_not_is_refused_by_name() -> None:
    told = requirements("--extras", "grpc,postgres")
    assert told.returncode == 2
    assert "there is no extra 'postgres'; there are " in told.stderr


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in _lines(ROOT / ".dockerignore") if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M)
    names = {name for line in copied for name in line.split()}
    assert names == kept
    assert all((ROOT / name).exists() for name in names)


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line]


@needs_yaml
def test_compose_and_the_chart_confine_alike() -> None:
    import yaml

    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["tfaas"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^USER (.+)$", dockerfile, re.M) == ["10001:10001"]


@needs_yaml
def test_the_server_takes_what_compose_sets(tmp_path: Path) -> None:
    """``tfaas config`` reads the variables, which would be errors if misspelled."""
    import yaml

    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["tfaas"]
    (tmp_path / "url").write_text("postgresql://tfaas:secret@database/tfaas")
    variables = {
        name: value.replace("/run/secrets", str(tmp_path))
        for name, value in service["environment"].items()
    }
    command = [sys.executable, "-m", "tfaas_core", "config"]
    told = subprocess.run(
        command,
        env=os.environ | variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert f'file = "{tmp_path / "tokens"}"' in told.stdout
    assert 'kind = "sql"' in told.stdout
