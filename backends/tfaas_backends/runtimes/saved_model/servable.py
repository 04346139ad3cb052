"""A SavedModel, loaded: what the ``saved_model`` runtime's models run in. Imports TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tfaas_backends.runtimes.graph.servable import GraphServable, apart_from, return_free_memory
from tfaas_backends.runtimes.saved_model.folder import (
    HeldFolder,
    tags_of,
    without_place,
)
from tfaas_backends.runtimes.saved_model.function import SignatureFunction
from tfaas_backends.runtimes.saved_model.graph import SavedGraph
from tfaas_backends.runtimes.saved_model.inputs import asked_for
from tfaas_backends.runtimes.saved_model.signature import End, ends_of
from tfaas_backends.runtimes.saved_model.vetted import Vetted, read_vetted
from tfaas_backends.runtimes.tensorflow.errors import load_error
from tfaas_backends.runtimes.tensorflow.input_defaults import constant_default
from tfaas_backends.runtimes.tensorflow.nodes import name_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.rows import GraphRows
from tfaas_backends.runtimes.tensorflow.session import GraphSession
from tfaas_backends.runtimes.tensorflow.signature import first_names, signature_of, spec_of
from tfaas_core.errors import CannotServe, TfaasError
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions
from tfaas_core.tensors import TensorSpec


def load_saved_model(artifact: Path, params: Params, options: LoadOptions) -> GraphServable:
    """The SavedModel in the folder ``artifact``, as Runtime.load gives it."""
    vetted = read_vetted(artifact, tags_of(params), options)
    held = HeldFolder(artifact)
    try:
        return _load(vetted, held, params, options.threads)
    except TfaasError:
        raise
    except Exception as error:  # of a broken graph, TensorFlow raises nearly anything
        told = load_error(error, vetted.meta_graph.graph_def)
        raise type(told)(without_place(told.message, held.path), **told.details) from None
    finally:
        del vetted
        return_free_memory()


def _load(vetted: Vetted, held: HeldFolder, params: Params, threads: int) -> GraphServable:
    meta_graph = vetted.meta_graph
    asked = asked_for(ends_of(meta_graph, params), meta_graph, given=bool(params.input_nodes))
    ends, saved = asked.ends, SavedGraph(meta_graph, asked, held, vetted.uses)
    if vetted.uses is not None and not saved.restorable:
        vetted.uses.check_none()  # tf.saved_model.load runs any function that the folder names
    inputs = _specs(ends.inputs, saved.inputs, "inputNode")
    outputs = _specs(ends.outputs, saved.outputs, "outputNode")
    open_session: Callable[[int], Any] = (
        partial(_open_session, saved, apart_from(saved.inputs, saved.outputs, saved.graph))
        if saved.restorable
        else partial(SignatureFunction, meta_graph, asked, held)
    )
    rows, axis = GraphRows(saved.prover, inputs), params.batch.axis
    names = first_names(saved.inputs, (end.shape for end in ends.inputs))
    signature = signature_of(inputs, rows.found(outputs), axis, names)
    signature = rows.settled(signature, is_given=axis is not None)
    signature = msgspec.structs.replace(
        signature, name=ends.signature, unused=ends.unused, left_out=ends.left_out
    )
    tunable = threads == 0 and saved.restorable
    session = open_session(threads or 1)
    return GraphServable(
        open_session, session, signature, saved.stateful, tunable, threads or 1, rows
    )


def _open_session(saved: SavedGraph, fetches: Sequence[Any], threads: int) -> GraphSession:
    return GraphSession(saved.graph, saved.inputs, fetches, threads, saved.initialise)


def _specs(ends: Sequence[End], tensors: Sequence[Any], field: str) -> list[TensorSpec]:
    return [_spec(end, tensor, field) for end, tensor in zip(ends, tensors, strict=True)]


def _spec(end: End, tensor: Any, field: str) -> TensorSpec:
    spec = spec_of(tensor, field)
    try:
        shape = tensor.shape.merge_with(tf.TensorShape(end.shape))
    except ValueError:
        raise CannotServe(
            f"the signature gives {end.key!r} the shape {tf.TensorShape(end.shape)}, but it is"
            f" {tensor.shape} in the graph"
        ) from None
    sizes = None if shape.rank is None else tuple(shape.as_list())
    default = constant_default(tensor) if end.default is None else end.default
    name = end.key or name_of(tensor)
    return msgspec.structs.replace(spec, name=name, shape=sizes, default=default)
