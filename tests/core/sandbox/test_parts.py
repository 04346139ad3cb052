"""What this machine has is told, and what it lacks, and why."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.other_account import needs_root, told_nobody
from tfaas_core.sandbox.parts import Parts

_FIRST_USER = 1_879_048_192


def test_every_part_is_there_or_missing_for_a_reason() -> None:
    parts = Parts.of_this_machine(_FIRST_USER)
    assert {"privileges", "limits"} <= parts.present.keys()
    known = {"privileges", "limits", "files", "calls", "user"}
    assert parts.present.keys().isdisjoint(parts.missing)
    assert {*parts.present, *parts.missing} == known - ({"user"} if os.geteuid() else set())


@needs_root
def test_who_is_not_root_lacks_no_user() -> None:
    def check() -> None:
        parts = Parts.of_this_machine(_FIRST_USER)
        assert "user" not in {*parts.present, *parts.missing}

    assert told_nobody(check) == ""


@needs_root
def test_a_container_with_too_few_users_is_told() -> None:
    code = (
        f"from tfaas_core.sandbox.parts import Parts; print(Parts.of_this_machine({_FIRST_USER}))"
    )
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        assert os.environ.get("CI") != "true", told.stderr
        pytest.skip(f"no user namespace can be made: {told.stderr}")
    assert f"'user': 'this container has too few users from {_FIRST_USER} on'" in told.stdout
