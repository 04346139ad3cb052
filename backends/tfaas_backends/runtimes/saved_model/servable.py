"""A SavedModel, loaded: what the ``saved_model`` runtime's models run in. Imports TensorFlow."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tfaas_backends.runtimes.graph.servable import (
    GraphServable,
    SiblingServable,
    apart_from,
    return_free_memory,
)
from tfaas_backends.runtimes.saved_model.folder import (
    HeldFolder,
    tags_of,
    without_place,
)
from tfaas_backends.runtimes.saved_model.function import SignatureFunctions
from tfaas_backends.runtimes.saved_model.graph import SavedGraph, Span
from tfaas_backends.runtimes.saved_model.inputs import Asked, asked_for
from tfaas_backends.runtimes.saved_model.others import declared_signatures, other_signatures
from tfaas_backends.runtimes.saved_model.signature import End, ends_of
from tfaas_backends.runtimes.saved_model.vetted import Vetted, read_vetted
from tfaas_backends.runtimes.tensorflow.errors import load_error
from tfaas_backends.runtimes.tensorflow.input_defaults import constant_default
from tfaas_backends.runtimes.tensorflow.nodes import name_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.rows import GraphRows
from tfaas_backends.runtimes.tensorflow.session import Feeds, GraphSession
from tfaas_backends.runtimes.tensorflow.signature import first_names, signature_of, spec_of
from tfaas_core.errors import CannotServe, TfaasError
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec

_log = logging.getLogger("tfaas.engine")


def load_saved_model(artifact: Path, params: Params, options: LoadOptions) -> GraphServable:
    """The SavedModel in the folder ``artifact``, as Runtime.load gives it."""
    vetted = read_vetted(artifact, tags_of(params), options)
    held = HeldFolder(artifact)
    try:
        return _loaded(vetted, held, params, options)
    except TfaasError:
        raise
    except Exception as error:  # of a broken graph, TensorFlow raises nearly anything
        told = load_error(error, vetted.meta_graph.graph_def, options.memory_bytes)
        raise type(told)(without_place(told.message, held.path), **told.details) from None
    finally:
        del vetted
        return_free_memory()


def _loaded(
    vetted: Vetted, held: HeldFolder, params: Params, options: LoadOptions
) -> GraphServable:
    """With all signatures that can be served; if that fails, with the chosen one alone."""
    meta_graph = vetted.meta_graph
    ends = ends_of(meta_graph, params)
    chosen = asked_for(ends, meta_graph, given=bool(params.input_nodes))
    others = other_signatures(vetted, chosen, held, options.signatures)
    if others:
        try:
            return _load(vetted, held, params, options, [chosen, *others])
        except Exception as error:  # as above; it may be the chosen one's fault, too
            _log.info("its further signatures are not served: %.300s", error)
    return _load(vetted, held, params, options, [chosen])


def _load(
    vetted: Vetted,
    held: HeldFolder,
    params: Params,
    options: LoadOptions,
    all_asked: Sequence[Asked],
) -> GraphServable:
    meta_graph, threads, memory_bytes = vetted.meta_graph, options.threads, options.memory_bytes
    saved = SavedGraph(meta_graph, all_asked, held, vetted.uses)
    if vetted.uses is not None and not saved.restorable:
        vetted.uses.check_none()  # tf.saved_model.load runs any function that the folder names
    feeds = [Feeds(s.inputs, apart_from(s.inputs, s.outputs, saved.graph)) for s in saved.spans]

    def open_session(threads: int) -> Any:
        if not saved.restorable:
            return SignatureFunctions(meta_graph, all_asked, held, threads)
        return GraphSession(
            saved.graph, feeds, threads, saved.initialise, saved.plain, memory_bytes
        )

    first, *others = saved.spans
    signature, rows = _signed(first, params.batch.axis)
    tunable = threads == 0 and saved.restorable
    session = open_session(threads or 1)
    servable = GraphServable(
        open_session,
        session,
        signature,
        first.stateful,
        tunable,
        threads or 1,
        rows,
        saved.needs_files,
    )
    servable.declared = declared_signatures(meta_graph)
    servable.others = {
        span.ends.signature: SiblingServable(servable, place, *_signed_other(span))
        for place, span in enumerate(others, 1)
    }
    return servable


def _signed(span: Span, axis: BatchAxis | None) -> tuple[Signature, GraphRows]:
    """The signature of what is between two ends, and what is proven of its rows."""
    ends = span.ends
    inputs = _specs(ends.inputs, span.inputs, "inputNode")
    outputs = _specs(ends.outputs, span.outputs, "outputNode")
    rows = GraphRows(span.prover, inputs)
    if not inputs:  # nothing has rows
        axis = BatchAxis.NONE
    names = first_names(span.inputs, (end.shape for end in ends.inputs))
    signature = signature_of(inputs, rows.found(outputs), axis, names)
    signature = rows.settled(signature, is_given=axis is not None)
    signature = msgspec.structs.replace(
        signature, name=ends.signature, unused=ends.unused, left_out=ends.left_out
    )
    return signature, rows


def _signed_other(span: Span) -> tuple[Signature, bool, GraphRows]:
    signature, rows = _signed(span, None)
    return signature, span.stateful, rows


def _specs(ends: Sequence[End], tensors: Sequence[Any], field: str) -> list[TensorSpec]:
    return [_spec(end, tensor, field) for end, tensor in zip(ends, tensors, strict=True)]


def _spec(end: End, tensor: Any, field: str) -> TensorSpec:
    spec = spec_of(tensor, field)
    # Old exports declare no sizes, which reads as a single value, where they knew none.
    is_unsaid = end.shape is not None and not end.shape.dim
    try:
        shape = tensor.shape.merge_with(tf.TensorShape(None if is_unsaid else end.shape))
    except ValueError:
        raise CannotServe(
            f"the signature gives {end.key!r} the shape {tf.TensorShape(end.shape)}, but it is"
            f" {tensor.shape} in the graph"
        ) from None
    sizes = None if shape.rank is None else tuple(shape.as_list())
    default = constant_default(tensor) if end.default is None else end.default
    name = end.key or name_of(tensor)
    return msgspec.structs.replace(spec, name=name, shape=sizes, default=default)
