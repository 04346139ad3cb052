"""The further signatures of a SavedModel: which of them can be served beside the chosen one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

from tfaas_backends.runtimes.saved_model.folder import HeldFolder
from tfaas_backends.runtimes.saved_model.graph import Needed
from tfaas_backends.runtimes.saved_model.inputs import Asked, asked_for
from tfaas_backends.runtimes.saved_model.signature import Ends, ends_of, signature_names
from tfaas_backends.runtimes.saved_model.vetted import Vetted
from tfaas_backends.runtimes.tensorflow.nodes import dtype_name
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.models.model import MOST_SIGNATURES
from tfaas_core.models.params import Params
from tfaas_core.tensors import NUMPY_DTYPES

_MOST_DECLARED_BYTES = 1 << 16
"""Of what a record keeps of a file's signatures."""

_REFERENCE = 100
"""What TensorFlow 1 adds to the number of a dtype if the tensor is a variable's own."""

_log = logging.getLogger("tfaas.engine")


def other_signatures(
    vetted: Vetted, chosen: Asked, held: HeldFolder, wanted: Sequence[str] | None
) -> list[Asked]:
    """Those of ``wanted``, or if that is None of all, that can be served, beside the ``chosen``.

    Others are left out: a file may declare signatures that take what no request can hold.
    """
    names = signature_names(vetted.meta_graph) if wanted is None else wanted
    others = [name for name in names if name != chosen.ends.signature][: MOST_SIGNATURES - 1]
    if not others:
        return []
    restorable = Needed(vetted.meta_graph, [chosen.ends], held.path).restorable
    return list(_servable(vetted, others, held, restorable))


def _servable(
    vetted: Vetted, names: Sequence[str], held: HeldFolder, restorable: bool
) -> Iterator[Asked]:
    meta_graph = vetted.meta_graph
    for name in names:
        try:
            ends = ends_of(meta_graph, Params(signature=name), inputs_needed=False)
            asked = asked_for(ends, meta_graph, given=False)
            needed = Needed(meta_graph, [asked.ends], held.path)
            needed.check(vetted.uses)
            if needed.restorable is restorable and _is_plain(meta_graph, asked.ends):
                yield asked
                continue
            reason = "no request or answer can hold its tensors"
        except Exception as error:  # of a broken graph, TensorFlow raises nearly anything
            reason = str(error)
        _log.info("the signature %r is not served: %.300s", name, reason)


def _is_plain(meta_graph: Any, ends: Ends) -> bool:
    """Whether arrays can hold its inputs and outputs, as far as the signature tells."""
    definition = meta_graph.signature_def[ends.signature]
    dtypes = [definition.inputs[end.key].dtype for end in ends.inputs]
    dtypes += [definition.outputs[end.key].dtype for end in ends.outputs]
    return all(dtype_name(tf.as_dtype(dtype)) in NUMPY_DTYPES for dtype in dtypes)


def declared_signatures(meta_graph: Any) -> dict[str, Any]:
    """All that the file declares, also those that are not served, as Servable.declared has them.

    Empty if that is absurdly long.
    """
    definitions = meta_graph.signature_def
    if sum(definition.ByteSize() for definition in definitions.values()) > _MOST_DECLARED_BYTES:
        return {}
    return {name: _document(definitions[name]) for name in sorted(definitions)}


def _document(definition: Any) -> dict[str, Any]:
    plain = type(definition)()
    plain.CopyFrom(definition)
    for info in (*plain.inputs.values(), *plain.outputs.values()):
        info.dtype %= _REFERENCE
    document: dict[str, Any] = MessageToDict(
        plain, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return document
