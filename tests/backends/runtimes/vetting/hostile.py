"""Hostile graphs, each with what its refusal has to name."""

from __future__ import annotations

from tests.backends.runtimes.vetting.graphs import counted
from tests.backends.runtimes.vetting.hostile_attributes import ATTRIBUTES
from tests.backends.runtimes.vetting.hostile_bounds import BOUNDS
from tests.backends.runtimes.vetting.hostile_places import PLACES
from tests.backends.runtimes.vetting.hostile_sizes import SIZES

HOSTILE = counted(PLACES | ATTRIBUTES | BOUNDS | SIZES, 77)
