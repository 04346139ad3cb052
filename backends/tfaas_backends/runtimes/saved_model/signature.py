"""Which of a SavedModel's signatures is served, and which tensors it feeds and fetches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tfaas_backends.runtimes.tensorflow.chosen_names import with_chosen
from tfaas_backends.runtimes.tensorflow.nodes import dtype_name, listed
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.errors import CannotServe
from tfaas_core.models.params import Params
from tfaas_core.tensors import NUMPY_DTYPES

_DEFAULT = "serving_default"
_INTERNAL = "__saved_model_"


class End(msgspec.Struct, frozen=True):
    """A tensor to feed or to fetch.

    ``key`` is its name in the signature, empty for a tensor that only the params name. ``tensor``
    is its name in the graph, ``shape`` what the signature tells of it: a TensorShapeProto or None.
    ``default`` is as in TensorSpec.
    """

    key: str
    tensor: str
    shape: Any = None
    default: Any = None

    @classmethod
    def of(cls, key: str, info: Any) -> End:
        """The tensor that a signature has under ``key``; ``info`` is its TensorInfo."""
        shape = None if info.tensor_shape.unknown_rank else info.tensor_shape
        return cls(key, _full_name(info.name), shape)


class Ends(msgspec.Struct, frozen=True):
    """What a run feeds and fetches, in the order of the requests and answers.

    ``unused`` and ``left_out`` are as in Signature.
    """

    signature: str
    inputs: list[End]
    outputs: list[End]
    unused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def ends_of(meta_graph: Any, params: Params, inputs_needed: bool = True) -> Ends:
    """The tensors of the signature that ``params`` name: or of ``serving_default``, or the only.

    Where ``params`` name nodes, these are taken: keys of the signature, its tensors, or any
    others of the graph; if they do so in two ways, what ``input_name`` says, if that is there.
    Raises CannotServe if there is no such signature or node, or the
    signature takes or gives what no request or answer can hold, or takes nothing, if
    ``inputs_needed``.
    """
    name = _chosen(meta_graph, params)
    definition = meta_graph.signature_def[name]
    nodes = {node.name for node in meta_graph.graph_def.node}
    inputs = _Side(definition.inputs, name, "inputNode", nodes)
    outputs = _Side(definition.outputs, name, "outputNode", nodes)
    params = with_chosen(params, inputs.has, outputs.has, names_first=True)
    given = outputs.ends(params.output_nodes)
    served = given if params.output_nodes else _readable(given, definition.outputs)
    left_out = [end for end in given if end not in served]
    return Ends(
        name,
        inputs.ends(params.input_nodes) if definition.inputs or inputs_needed else [],
        served,
        left_out=tuple(f"{end.key} ({_dtype(definition.outputs[end.key])})" for end in left_out),
    )


def _readable(outputs: list[End], infos: Mapping[str, Any]) -> list[End]:
    """Those that answers can hold; all of them if no answer can hold any."""
    return [end for end in outputs if _dtype(infos[end.key]) in NUMPY_DTYPES] or outputs


def _dtype(info: Any) -> str:
    return dtype_name(tf.as_dtype(info.dtype))


def signature_names(meta_graph: Any) -> list[str]:
    """The signatures that may be served, sorted."""
    return sorted(name for name in meta_graph.signature_def if not name.startswith(_INTERNAL))


def _chosen(meta_graph: Any, params: Params) -> str:
    wanted, there = params.signature, signature_names(meta_graph)
    if not there:
        raise CannotServe(
            "the SavedModel has no signature: save it with one, as Keras' model.export(folder) does"
        )
    if wanted and wanted not in there:
        raise CannotServe(
            f"params.signature names {wanted!r}, but the SavedModel has {listed(there)}",
            field="signature",
        )
    is_unsaid = not wanted and _DEFAULT not in there and len(there) > 1
    if is_unsaid and params.chooses_signature:  # by nodes, which may be of any of them
        raise CannotServe(
            f"the SavedModel has several signatures, {listed(there)}: name one in params.signature",
            field="signature",
        )
    # If nobody says which it is, requests have to name theirs, and any may be the first.
    with_inputs = [name for name in there if meta_graph.signature_def[name].inputs]
    return wanted or (_DEFAULT if _DEFAULT in there else [*with_inputs, *there][0])


class _Side:
    """The inputs or the outputs of a signature; ``field``: the params' that names them."""

    def __init__(
        self, infos: Mapping[str, Any], signature: str, field: str, nodes: Iterable[str]
    ) -> None:
        self._infos = dict(infos)
        self._signature = signature
        self._field = field
        self._nodes = nodes
        self._what = "input" if field == "inputNode" else "output"
        self._keys = {_full_name(info.name): key for key, info in infos.items()}

    def ends(self, given: Iterable[str]) -> list[End]:
        found = [self._named(name.strip()) for name in given]
        found = found or [self._at(key) for key in sorted(self._infos, key=_natural)]
        if not found:
            raise CannotServe(f"signature {self._signature!r} has no {self._what}")
        for index, end in enumerate(found):
            if any(end.tensor == other.tensor for other in found[:index]) and given:
                raise CannotServe(
                    f"params.{self._field} names {end.key or end.tensor!r} twice", field=self._field
                )
        return found

    def has(self, name: str) -> bool:
        """Whether the signature, or else the graph, has what ``name`` names."""
        return self._key(name) is not None or name.partition(":")[0] in self._nodes

    def _key(self, name: str) -> str | None:
        keys = (name, name.removesuffix(":0"), self._keys.get(_full_name(name)))
        return next((key for key in keys if key in self._infos), None)

    def _named(self, name: str) -> End:
        key = self._key(name)
        if key is not None:
            return self._at(key)
        if not self.has(name):
            raise CannotServe(
                f"params.{self._field} names {name!r}, but signature {self._signature!r} has"
                f" {listed(sorted(self._infos, key=_natural))}, and the graph no such node",
                field=self._field,
            )
        return End("", _full_name(name))

    def _at(self, key: str) -> End:
        info = self._infos[key]
        if info.WhichOneof("encoding") != "name":
            raise CannotServe(
                f"{self._what} {key!r} of signature {self._signature!r} is sparse or ragged: only"
                " plain tensors can be served"
            )
        return End.of(key, info)


def _full_name(tensor: str) -> str:
    return tensor if ":" in tensor else f"{tensor}:0"


def _natural(key: str) -> list[str | tuple[int, str]]:
    """Sorts ``output_10`` behind ``output_9``."""
    parts = re.split(r"(\d+)", key)
    return [(len(part.lstrip("0")), part) if part.isdecimal() else part for part in parts]
