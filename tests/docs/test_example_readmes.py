"""The READMEs of the examples: what they tell to install is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir()))
def test_a_readme_installs_the_example_of_the_clone(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text()
    # No package index has them.
    line = f"pip install ./docs/examples/{name}  # at the top of a clone of TFaaS"
    assert re.findall(r"^pip install .*", text, re.M) == [line]
