"""Which names count if params give a model's inputs, or its outputs, in two ways."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tfaas_core.models.params import Params

IsThere = Callable[[str], bool]


def with_chosen(
    params: Params, is_input: IsThere, is_output: IsThere, names_first: bool = False
) -> Params:
    """``params`` whose ``input_nodes`` and ``output_nodes`` are the ones to serve.

    These are what they are already, unless ``input_name`` or ``output_name`` says something else:
    then, of the two, the first whose names are all there. ``names_first``: what ``input_name``
    says is asked first. Where neither is there, the first one is taken, for its message.
    """
    inputs = _chosen(params.input_nodes, params.input_names, is_input, names_first)
    outputs = _chosen(params.output_nodes, params.output_names, is_output, names_first)
    return msgspec.structs.replace(params, input_nodes=inputs, output_nodes=outputs)


def _chosen(
    nodes: tuple[str, ...], names: tuple[str, ...], is_there: IsThere, names_first: bool
) -> tuple[str, ...]:
    if not names:
        return nodes
    either = (names, nodes) if names_first else (nodes, names)
    return next((each for each in either if all(is_there(n.strip()) for n in each)), either[0])
