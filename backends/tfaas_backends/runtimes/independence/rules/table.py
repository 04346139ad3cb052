"""All rules, op by op."""

from __future__ import annotations

from tfaas_backends.runtimes.independence import calls, flow
from tfaas_backends.runtimes.independence.interpreter import Rule, Rules
from tfaas_backends.runtimes.independence.rules import (
    elementwise,
    lists,
    ragged,
    shapes,
    state,
    strings,
)
from tfaas_backends.runtimes.independence.rules.mixing import (
    axes,
    bounds,
    convolution,
    einsum,
    linear,
    reductions,
)
from tfaas_backends.runtimes.independence.rules.moving import (
    joining,
    repeating,
    reshaping,
    selection,
    slicing,
)

_FAMILIES = (
    axes,
    convolution,
    einsum,
    elementwise,
    joining,
    linear,
    lists,
    ragged,
    reductions,
    repeating,
    reshaping,
    selection,
    shapes,
    slicing,
    state,
    strings,
)


def _merged() -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for family in _FAMILIES:
        twice = found.keys() & family.RULES.keys()
        assert not twice, f"two rules for {sorted(twice)}"
        found |= family.RULES
    return found


RULES = Rules(
    of_ops=_merged(),
    of_handles=frozenset(lists.RULES) | frozenset(state.RULES),
    of_flow=flow.RULES,
    of_calls=calls.RULES,
    of_words=ragged.OF_WORDS,
    of_mixed=bounds.mixed,
)
