"""Params: what the ``params.json`` of an upload says about a model."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

import msgspec

from tfaas_core.errors import CannotServe, DoesNotFit
from tfaas_core.models.instances import Instances
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec
from tfaas_core.texts.json_text import read_object
from tfaas_core.texts.spelling import respelled

MAX_DEPTH = 64
"""Of JSON in a record, which other processes and storages have to read, too."""

_INSTANCES = 'an integer from 1 to 64, or "auto"'
_Threads: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=64)]
_Rows: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]

NODE_FIELDS = {
    "inputNode": ("inputNode", "input_node", "input_name"),
    "outputNode": ("outputNode", "output_node", "output_name"),
}
"""The fields that name nodes, each with all its spellings."""

_FIELDS = (
    *("name", "model", "labels", "options", "description", "timestamp", "img_channels", "op"),
    *(spelling for spellings in NODE_FIELDS.values() for spelling in spellings),
    *("features", "signature", "batch", "warmup", "nan", "example", "image", "tags", "runtime"),
    *("instances", "mode", "threads", "shared_rows"),
)


class WarmUpRuns(StrEnum):
    """What is run when a model is loaded, before it serves."""

    ALL = "all"
    """Made-up values, then the examples that it carries."""
    EXAMPLES = "examples"
    """The examples alone."""
    NONE = "none"
    """Nothing."""


class BatchParams(msgspec.Struct, frozen=True):
    """What a ``params.json`` says about rows; None: the server finds it out.

    ``axis`` is the batch axis. ``merge`` says that rows of different requests may share a run, or
    may not: with True, the uploader vouches for it that the rows are independent.
    """

    axis: BatchAxis | None = None
    merge: bool | None = None


class Params(msgspec.Struct, frozen=True):
    """What the server reads from a ``params.json``; ``document`` is the whole of it, as sent.

    Node names are kept as given, with or without ``:0``; an empty tuple means that the runtime
    finds them itself. ``input_names`` and ``output_names`` are not empty only if the document
    has both ``input_node`` and another ``input_name``: TFaaS clients of the time of TensorFlow 2
    sent both, a node of the graph and a name of the SavedModel's signature. ``features`` names the
    columns of a row in order. ``accepts_nan``: requests may send NaN, as a missing value.
    ``runtime`` names the one that loads the model; empty: those that there are find that out.
    ``instances``: how many processes it may have at most; None: what the configuration says.
    ``mode``: how its runtime's libraries run it, and ``threads`` those of each run; empty, and 0:
    what the configuration says. ``shared_rows``: likewise, the most rows of several requests in a
    run.
    """

    name: str = ""
    input_nodes: tuple[str, ...] = ()
    output_nodes: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    description: str = ""
    options: Any = None
    features: tuple[str, ...] = ()
    signature: str = ""
    batch: BatchParams = BatchParams()
    warmup: WarmUpRuns = WarmUpRuns.ALL
    accepts_nan: bool = False
    runtime: str = ""
    instances: Instances | None = None
    mode: str = ""
    threads: int = 0
    shared_rows: int = 0
    document: dict[str, Any] = {}

    @classmethod
    def parse(cls, body: bytes) -> Params:
        """Reads a ``params.json``, the names of whose fields may be in any case.

        Raises BadBody if it is not JSON, DoesNotFit if a field is not of its type.
        """
        document = read_object(body, "params", field="params")
        if is_deeper(document, MAX_DEPTH):
            raise DoesNotFit(f"params is nested more than {MAX_DEPTH} deep", field="params")
        return cls.of(respelled(document, _FIELDS))

    @property
    def chooses_signature(self) -> bool:
        """Whether it says which signature is the one, by its name or by nodes."""
        return bool(self.signature or self.input_nodes or self.output_nodes)

    def says_as_much_as(self, other: Params) -> bool:
        """Whether both say the same, but for the name, in whatever spelling."""
        read = ("name", "document")
        return all(
            getattr(self, field) == getattr(other, field)
            for field in self.__struct_fields__
            if field not in read
        )

    def shown_nodes(self, signature: Signature) -> dict[str, str | list[str]]:
        """What a record calls the model's inputs and outputs: each one name, or a list.

        As the params have it; of nodes and names, those that the signature has. If it has neither,
        or none were given, as the signature has it.
        """
        return {
            "inputNode": _shown_nodes(self.input_nodes, self.input_names, signature.inputs),
            "outputNode": _shown_nodes(self.output_nodes, self.output_names, signature.outputs),
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Params:
        """Reads the object of a ``params.json``; raises DoesNotFit as ``parse`` does."""
        features = _names(document, "features", ("features",))
        if len(set(features)) != len(features):
            raise DoesNotFit("params.features names a column twice", field="features")
        input_nodes, input_names = _nodes(document, "inputNode")
        output_nodes, output_names = _nodes(document, "outputNode")
        return cls(
            name=_text(document, "name"),
            input_nodes=input_nodes,
            output_nodes=output_nodes,
            input_names=input_names,
            output_names=output_names,
            description=_text(document, "description"),
            options=document.get("options"),
            features=features,
            signature=_text(document, "signature"),
            batch=_batch(document.get("batch")),
            warmup=WarmUpRuns(_choice(document, "warmup", [*WarmUpRuns])),
            accepts_nan=_choice(document, "nan", ["refuse", "accept"]) == "accept",
            runtime=_text(document, "runtime"),
            instances=_read(document, "instances", Instances, _INSTANCES),
            mode=_text(document, "mode"),
            threads=_read(document, "threads", _Threads, "an integer from 1 to 64") or 0,
            shared_rows=_read(document, "shared_rows", _Rows, "an integer, at least 1") or 0,
            document=document,
        )


def _shown_nodes(
    nodes: tuple[str, ...], names: tuple[str, ...], specs: Sequence[TensorSpec]
) -> str | list[str]:
    found = tuple(spec.name for spec in specs)
    given = [each for each in (nodes, names) if each]
    if len(given) > 1:
        given = [each for each in given if tuple(map(_bare, each)) == found]
    shown = given[0] if given else found
    return shown[0] if len(shown) == 1 else list(shown)


def _bare(name: str) -> str:
    return name.strip().removesuffix(":0")


def check_features(params: Params, signature: Signature) -> None:
    """Raises CannotServe if ``params.features`` are not the columns of the model's rows."""
    if not params.features:
        return
    shape = signature.row_shape(signature.inputs[0])
    if len(signature.inputs) > 1 or shape is None or len(shape) != 1:
        raise CannotServe(
            "params.features names columns, but the model does not take rows of numbers",
            field="features",
        )
    if shape[0] not in (None, len(params.features)):
        raise CannotServe(
            f"params.features names {len(params.features)} columns, the model takes {shape[0]}",
            field="features",
            expected=shape[0],
            got=len(params.features),
        )


def is_deeper(value: Any, limit: int) -> bool:
    """Whether a JSON value has more than ``limit`` levels of lists and objects."""
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DoesNotFit(f"params.{key} is not a string", field=key)
    return value


def _choice(document: dict[str, Any], key: str, choices: Sequence[str]) -> str:
    """The value of ``key``, one of ``choices``; the first if it is not given."""
    value = document.get(key)
    if value is None:
        return choices[0]
    if value not in choices:
        listed = " or ".join(f'"{choice}"' for choice in choices)
        raise DoesNotFit(f"params.{key} is {_shown(value)}, it should be {listed}", field=key)
    return str(value)


def _read(document: dict[str, Any], key: str, kind: Any, said: str) -> Any:
    """The value of ``key``, None if it is not given; ``said`` is how messages call its kind."""
    value = document.get(key)
    try:
        return msgspec.convert(value, kind | None)
    except msgspec.ValidationError:
        raise DoesNotFit(
            f"params.{key} is {_shown(value)}, it should be {said}", field=key
        ) from None


def _batch(table: Any) -> BatchParams:
    if table is None:
        return BatchParams()
    if not isinstance(table, dict):
        raise DoesNotFit(
            f'params.batch is {_shown(table)}, it should be an object with "axis", "merge" or both',
            field="batch",
        )
    for key in table:
        if key not in ("axis", "merge", "reason"):
            raise DoesNotFit(
                f'params.batch has {_shown(key)}, it may have "axis" and "merge"',
                field=f"batch.{key}"[:80],
            )
    axis, merge = table.get("axis"), table.get("merge")
    if axis is not None and axis not in [*BatchAxis]:
        raise DoesNotFit(
            f'params.batch.axis is {_shown(axis)}, it should be "free", "one" or "none"',
            field="batch.axis",
        )
    if merge is not None and type(merge) is not bool:
        raise DoesNotFit(
            f"params.batch.merge is {_shown(merge)}, it should be true or false",
            field="batch.merge",
        )
    if merge and axis not in (None, BatchAxis.FREE):
        raise DoesNotFit(
            f'params.batch.merge is true, but params.batch.axis is "{axis}": only rows along a '
            'free axis share a run; say "axis": "free", or leave merge out',
            field="batch.merge",
        )
    return BatchParams(None if axis is None else BatchAxis(axis), merge)


def _shown(value: Any) -> str:
    return reprlib.repr(value) if not isinstance(value, bool) else str(value).lower()


def _nodes(document: dict[str, Any], key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The nodes of the graph that ``key`` names; and the names beside them, if they differ."""
    *of_nodes, of_names = NODE_FIELDS[key]
    nodes = _names(document, key, tuple(of_nodes))
    names = _names(document, key, (of_names,))
    return nodes or names, names if nodes and names != nodes else ()


def _names(document: dict[str, Any], key: str, spellings: tuple[str, ...]) -> tuple[str, ...]:
    value = next((document[s] for s in spellings if document.get(s)), None)
    if value is None:
        return ()
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        raise DoesNotFit(f"params.{key} is neither a string nor a list of strings", field=key)
    return tuple(names)
