"""Prints what to install before TFaaS itself, one requirement a line, as pip reads it.

python deploy/requirements.py [--extras grpc,postgresql] [--without tensorflow]
"""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def main() -> None:
    """Prints the dependencies of the project, with those of some extras."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="", help="names, with commas between them")
    parser.add_argument("--without", default="", help="packages to leave out, likewise")
    asked = parser.parse_args()
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = list(project["dependencies"])
    for extra in filter(None, asked.extras.split(",")):
        if extra not in extras:
            parser.error(f"there is no extra {extra!r}; there are {', '.join(sorted(extras))}")
        lines += extras[extra]
    left_out = set(asked.without.split(","))
    print("\n".join(line for line in lines if _package(line) not in left_out))


def _package(line: str) -> str:
    return re.split(r"[^\w.-]", line, maxsplit=1)[0]


if __name__ == "__main__":
    main()
