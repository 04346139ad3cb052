"""Cases of ops that compute element by element."""

from __future__ import annotations

from functools import cache
from typing import Any

from tensorflow.python.framework import op_def_registry
from tfaas_backends.runtimes.independence.rules.elementwise import BROADCASTING
from tfaas_backends.runtimes.independence.rules.strings import SINGLE
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.draw import Case, Draw, raw

_TYPES = (tf.float32, tf.int32, tf.bool, tf.complex64, tf.uint8, tf.string)
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Cast": {"DstT": tf.int32},
    "Bucketize": {"boundaries": [-1.0, 1.0, 2.0]},
    "CheckNumerics": {"message": "broken"},
    "UnicodeTranscode": {
        "input_encoding": "UTF-8",
        "output_encoding": "UTF-8",
        "errors": "replace",
    },
    "StaticRegexReplace": {"pattern": "[a-m ]", "rewrite": "x"},
    "StaticRegexFullMatch": {"pattern": "word -.*"},
    "StringToHashBucket": {"num_buckets": 50},
    "StringToHashBucketFast": {"num_buckets": 50},
    "StringToHashBucketStrong": {"num_buckets": 50, "key": [1, 2]},
    "Complex": {"Tout": tf.complex64},
}
_SKIPPED = {"SelectV2", "ClipByValue", "AddN", "FakeQuantWithMinMaxVars", "StringToNumber"} | {
    "UnicodeScript",
    "DecodeBase64",
}


@cache
def _types(op: str) -> list[Any]:
    """The types that all its inputs may have."""
    found = []
    for dtype in _TYPES:
        with tf.Graph().as_default():
            try:
                _apply(op, lambda dtype=dtype: tf.zeros([2], dtype))
            except (TypeError, ValueError):
                continue
            found.append(dtype)
    assert found, f"{op} takes none of the types"
    return found


def _apply(op: str, make: Any) -> Any:
    arguments = op_def_registry.get(op).input_arg
    return getattr(raw, op)(
        **{argument.name: make() for argument in arguments}, **_ATTRIBUTES.get(op, {})
    )


def _other(draw: Draw, shape: list[int], dtype: Any) -> Any:
    """A constant, or rows, that may fit or not."""
    inner = [draw.one_of([1, size]) for size in shape][draw.size(0, len(shape)) :]
    if draw.chance():
        more = [draw.size()] if draw.chance(0.2) else []
        return draw.constant([*more, *inner], dtype)
    if draw.chance(0.2):
        return draw.rows(inner, dtype)
    return draw.rows([draw.one_of([1, size]) for size in shape], dtype)


def of(op: str) -> Case:
    def case(draw: Draw) -> None:
        dtype = draw.one_of(_types(op))
        inner = draw.sizes()
        first = [draw.anywhere(inner, dtype=dtype)]

        def make() -> Any:
            return first.pop() if first else _other(draw, inner, dtype)

        _apply(op, make)

    return case


def chosen(draw: Draw) -> None:
    inner = draw.sizes()
    condition = draw.rows([draw.one_of([1, size]) for size in inner], tf.bool)
    raw.SelectV2(condition=condition, t=draw.rows(inner), e=_other(draw, inner, tf.float32))


def chosen_before(draw: Draw) -> None:
    inner = draw.sizes(1)
    shape = draw.one_of([[], inner])
    condition = draw.rows(shape, tf.bool)
    if draw.chance(0.2):
        condition = draw.constant([3], tf.bool)
    raw.Select(condition=condition, x=draw.rows(inner, free=False), y=draw.rows(inner, free=False))


def clipped(draw: Draw) -> None:
    low, high = draw.constant([], low=-2, high=0), draw.constant([], low=1, high=3)
    raw.ClipByValue(t=draw.anywhere(), clip_value_min=low, clip_value_max=high)


def quantised(draw: Draw) -> None:
    low, high = draw.constant([], low=-3, high=0), draw.constant([], low=1, high=3)
    raw.FakeQuantWithMinMaxVars(inputs=draw.anywhere(), min=low, max=high)


def added(draw: Draw) -> None:
    inner = draw.sizes()
    raw.AddN(inputs=[draw.rows(inner, free=False) for _ in range(draw.size(1, 3))])


def biased(draw: Draw) -> None:
    tensor = draw.anywhere(draw.sizes(1))
    raw.BiasAdd(value=tensor, bias=draw.constant([draw.one_of([3, tensor.shape[-1] or 2])]))


def biased_before(draw: Draw) -> None:
    tensor = draw.anywhere(draw.sizes(1))
    raw.BiasAddV1(value=tensor, bias=draw.constant([draw.one_of([3, tensor.shape[-1] or 2])]))


def parsed(draw: Draw) -> None:
    raw.StringToNumber(string_tensor=tf.strings.as_string(draw.anywhere()), out_type=tf.float32)


def scripts(draw: Draw) -> None:
    raw.UnicodeScript(input=draw.anywhere(dtype=tf.int32, low=40, high=5000))


def decoded(draw: Draw) -> None:
    raw.DecodeBase64(input=raw.EncodeBase64(input=draw.anywhere(dtype=tf.string)))


def joined(draw: Draw) -> None:
    inner = draw.sizes()
    other = draw.constant([], tf.string) if draw.chance() else draw.rows(inner, tf.string)
    raw.StringJoin(inputs=[draw.rows(inner, tf.string), other], separator="-")


def cut(draw: Draw) -> None:
    inner = draw.sizes()
    place = (
        draw.rows(inner, tf.int32, 0, 3) if draw.chance() else draw.constant([], tf.int32, low=0)
    )
    length = draw.number(2) if place.shape.rank == 0 else draw.rows(inner, tf.int32, 0, 3)
    raw.Substr(input=draw.rows(inner, tf.string), pos=place, len=length)


def replaced(draw: Draw) -> None:
    raw.RegexReplace(input=draw.anywhere(dtype=tf.string), pattern="[a-o]", rewrite="-")


def matched(draw: Draw) -> None:
    raw.RegexFullMatch(input=draw.anywhere(dtype=tf.string), pattern="word -?[01]")


CASES: dict[str, Case] = {
    **{op: of(op) for op in sorted((BROADCASTING | SINGLE) - _SKIPPED)},
    "SelectV2": chosen,
    "Select": chosen_before,
    "ClipByValue": clipped,
    "FakeQuantWithMinMaxVars": quantised,
    "AddN": added,
    "BiasAdd": biased,
    "BiasAddV1": biased_before,
    "StringToNumber": parsed,
    "UnicodeScript": scripts,
    "DecodeBase64": decoded,
    "StringJoin": joined,
    "Substr": cut,
    "RegexReplace": replaced,
    "RegexFullMatch": matched,
}
