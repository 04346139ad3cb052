"""An issuer that a test may do with as it likes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.issuer import Issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer
