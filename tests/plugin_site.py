"""A folder of third-party plugins, as ``pip install`` leaves it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def write_plugin(site: Path, distribution: str, source: str, version: str = "1.0") -> None:
    """Puts a distribution with one module and its entry point into ``site``.

    ``tfaas-csv`` makes the module ``tfaas_csv``.
    """
    module = distribution.replace("-", "_")
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(source, encoding="utf-8")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    entry_point = f"[tfaas]\n{module} = {module}\n"
    (info / "entry_points.txt").write_text(entry_point, encoding="utf-8")


def environment_with(site: Path) -> dict[str, str]:
    """What a process that finds the plugins of ``site`` is started with."""
    return {"PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
