"""Cases of conditionals, loops, calls, lists, variables and tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.draw import Case, Draw, raw
from tests.backends.runtimes.independence.refutation import PREPARING

v1 = tf.compat.v1


def _flow(build: Callable[[Draw], Any], second: bool) -> Case:
    """With TensorFlow 2's control flow, of functions, or TensorFlow 1's."""

    def case(draw: Draw) -> Any:
        if second:
            v1.enable_control_flow_v2()
        else:
            v1.disable_control_flow_v2()
        try:
            return tf.identity(build(draw))
        finally:
            v1.enable_control_flow_v2()

    return case


def conditional(draw: Draw) -> Any:
    tensor = draw.rows([2])
    size = raw.Shape(input=tensor)
    choice = draw.one_of(
        [
            raw.Greater(x=size[1], y=1),
            raw.Less(x=size[0], y=3),
            raw.Any(input=raw.Greater(x=tensor, y=0.0), axis=[0, 1]),
            v1.placeholder_with_default(draw.chance(), []),
        ]
    )
    return tf.cond(choice, lambda: tensor * 2, lambda: tf.abs(tensor) + 1)


def constant_branches(draw: Draw) -> Any:
    """What is chosen are constants: only by control edges does the choice reach the end."""
    tensor = draw.rows([2])
    choice = draw.one_of([tf.reduce_any(tensor > 2), raw.Shape(input=tensor)[1] > 1])
    return tensor * tf.cond(choice, lambda: tf.constant(1.0), lambda: tf.constant(2.0))


def numbered(draw: Draw) -> Any:
    """One of three constants, as TensorFlow 1 chooses by a number."""
    tensor = draw.rows([2])
    size, largest = raw.Shape(input=tensor), tf.cast(tf.reduce_max(tensor), tf.int32)
    place = draw.one_of([size[1] - 2, size[0] - 1, largest, draw.number(draw.size(0, 4))])
    graph = v1.get_default_graph()
    attributes = {"num_outs": v1.AttrValue(i=3)}
    ways = graph.create_op(
        "_SwitchN", [tf.constant(0.0), place], [tf.float32] * 3, attrs=attributes, name="ways"
    )
    factors = []
    for number, way in enumerate(ways.outputs):
        with tf.control_dependencies([tf.identity(way)]):
            factors.append(tf.constant(float(number)))
    for end in (ways, *(f.op for f in factors), *(f.op.control_inputs[0] for f in factors)):
        graph.prevent_fetching(end)
    return tensor * raw.Merge(inputs=factors)[0]


def loop(draw: Draw) -> Any:
    tensor = draw.rows([draw.size(1, 4), 2])
    last = draw.one_of(
        [
            3,
            raw.Shape(input=tensor)[1],
            raw.Shape(input=tensor)[0],
            raw.Cast(x=raw.Max(input=tensor, axis=[0, 1, 2]), DstT=tf.int32),
        ]
    )
    start = draw.one_of([tensor[:, 0], tf.zeros([raw.Shape(input=tensor)[0], 2])])
    free = tf.TensorShape([None, None])
    return tf.while_loop(
        lambda i, state: i < last,
        lambda i, state: (i + 1, tf.tanh(state) + tensor[:, -1]),
        (0, start),
        (tf.TensorShape([]), free),
    )[1]


def array(draw: Draw) -> Any:
    """Steps along one axis, the results of which are stacked."""
    tensor = draw.rows([draw.size(1, 4), 2])
    length = raw.Shape(input=tensor)[1]
    order = draw.one_of([[1, 0, 2], [1, 0, 2], [0, 1, 2]])
    steps = tf.TensorArray(tf.float32, length).unstack(tf.transpose(tensor, order)[:length])
    results = tf.TensorArray(tf.float32, length, element_shape=[None, 2])

    def body(i: Any, state: Any, results: Any) -> Any:
        state = tf.abs(state - steps.read(i))
        return i + 1, state, results.write(i, state)

    start = (0, tf.zeros_like(tensor[:, 0]) if order[0] else tensor[0], results)
    return tf.while_loop(lambda i, *_: i < length, body, start)[2].stack()


def array_size(draw: Draw) -> Any:
    tensor = draw.rows([3])
    array = tf.TensorArray(tf.float32, 3, dynamic_size=True).unstack(tf.transpose(tensor))
    return tensor * tf.cast(array.size(), tf.float32) + tf.transpose(array.gather([0, 2, 1]))


def called(draw: Draw) -> Any:
    tensor = draw.anywhere(draw.sizes(1))
    function = tf.function(lambda x: (x * 2, tf.nn.softmax(x)), autograph=False)
    return function(tensor)[draw.size(0, 1)]


def stateless(op: str) -> Case:
    def case(draw: Draw) -> Any:
        tensor = draw.rows([2])
        one = tf.function(lambda x: x * 2, autograph=False).get_concrete_function(tensor)
        other = tf.function(tf.abs, autograph=False).get_concrete_function(tensor)
        size = raw.Shape(input=tensor)
        choice = draw.one_of([draw.number(1), size[1] - 1, size[0] - 2])
        if op in ("If", "StatelessIf"):
            found = getattr(raw, op)(
                cond=choice, input=[tensor], Tout=[tf.float32], then_branch=one, else_branch=other
            )
        else:
            found = getattr(raw, op)(
                branch_index=choice, input=[tensor], Tout=[tf.float32], branches=[one, other]
            )
        return tf.identity(found[0])

    return case


def direct_call(op: str) -> Case:
    def case(draw: Draw) -> Any:
        tensor = draw.rows([2])
        function = tf.function(tf.abs, autograph=False).get_concrete_function(tensor)
        return getattr(raw, op)(args=[tensor], Tout=[tf.float32], f=function)[0]

    return case


def stateless_loop(op: str) -> Case:
    def case(draw: Draw) -> Any:
        tensor = draw.rows([2])
        last = draw.one_of([3, raw.Shape(input=tensor)[0]])
        specs = [
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([None, None]),
            tf.TensorSpec([], tf.int32),
        ]
        condition = tf.function(lambda i, x, n: i < n, specs, autograph=False)
        body = tf.function(lambda i, x, n: (i + 1, tf.abs(x) + 1, n), specs, autograph=False)
        loop = getattr(raw, op)(
            input=[tf.constant(0), tensor, tf.convert_to_tensor(last)],
            cond=condition.get_concrete_function(),
            body=body.get_concrete_function(),
        )
        return tf.identity(loop[1])

    return case


def listed(draw: Draw) -> Any:
    """Elements of a list, read, taken off, gathered and put together."""
    tensor = draw.rows([3, 2], free=False)
    turned = tf.transpose(tensor, [1, 0, 2]) if draw.chance(0.8) else tensor
    items = raw.TensorListFromTensor(tensor=turned, element_shape=[-1, 2])
    items = raw.TensorListResize(input_handle=items, size=raw.TensorListLength(input_handle=items))
    items = raw.TensorListPushBack(input_handle=items, tensor=turned[0] * 2)
    options = {"element_dtype": tf.float32, "element_shape": [-1, 2]}
    _, popped = raw.TensorListPopBack(input_handle=items, **options)
    tf.identity(popped)
    raw.TensorListGather(input_handle=items, indices=[2, 0], **options)
    raw.TensorListConcatV2(input_handle=items, **options, leading_dims=draw.constant([0], tf.int64))
    wide = raw.EmptyTensorList(element_shape=[2, -1], max_num_elements=9, element_dtype=tf.float32)
    wide = raw.TensorListPushBack(input_handle=wide, tensor=tf.transpose(turned[0]))
    long = {"element_dtype": tf.float32, "element_shape": [2, -1]}
    raw.TensorListConcatV2(input_handle=wide, **long, leading_dims=draw.constant([0], tf.int64))
    length = tf.cast(raw.TensorListLength(input_handle=items), tf.float32)
    return tensor * length


def reserved(draw: Draw) -> Any:
    """A list of zeros of which some are overwritten."""
    tensor = draw.rows([2], free=False)
    shape = draw.one_of([raw.Shape(input=tensor), tf.constant([-1, 2])])
    items = raw.TensorListReserve(element_shape=shape, num_elements=3, element_dtype=tf.float32)
    for place in range(draw.size(1, 3)):
        items = raw.TensorListSetItem(input_handle=items, index=place, item=tensor + place)
    options = {"element_dtype": tf.float32, "element_shape": [-1, 2]}
    raw.TensorListGetItem(input_handle=items, index=0, **options)
    return raw.TensorListStack(input_handle=items, **options)


def _variable(draw: Draw, values: Any) -> Any:
    variable = raw.VarHandleOp(dtype=tf.float32, shape=values.shape)
    v1.add_to_collection(PREPARING, raw.AssignVariableOp(resource=variable, value=values))
    return variable


def variable(draw: Draw) -> Any:
    handle = _variable(draw, draw.constant([3, 2]))
    raw.ResourceGather(
        resource=handle, indices=draw.anywhere(dtype=tf.int32, low=0, high=3), dtype=tf.float32
    )
    shape = raw.VariableShape(input=handle)
    weights = raw.ReadVariableOp(resource=handle, dtype=tf.float32)
    return tf.matmul(draw.rows([3]), tf.reshape(weights, shape))


def reference(draw: Draw) -> Any:
    weights = raw.VariableV2(shape=[3, 2], dtype=tf.float32)
    assigned = raw.Assign(ref=weights, value=draw.constant([3, 2]))
    v1.add_to_collection(PREPARING, assigned)
    return tf.matmul(draw.rows([3], free=False), raw.Identity(input=weights))


def table(draw: Draw) -> Any:
    handle = raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    keys = tf.constant(np.array([b"word 1", b"word 2", b"word -1"], object))
    filled = raw.LookupTableImportV2(
        table_handle=handle, keys=keys, values=tf.constant([5, 6, 7], tf.int64)
    )
    v1.add_to_collection(PREPARING, filled)
    size = raw.LookupTableSizeV2(table_handle=handle)
    found = raw.LookupTableFindV2(
        table_handle=handle,
        keys=draw.anywhere(dtype=tf.string),
        default_value=draw.number(-1, tf.int64),
    )
    return found * size


def together(draw: Draw) -> Any:
    return raw.IdentityN(input=[draw.anywhere(), draw.constant([2])])[0]


def words(draw: Draw) -> Any:
    """Texts of some words each, cut or filled up to three words, or to those of the longest."""
    texts = draw.one_of([draw.rows([], tf.string), draw.rows([2], tf.string)[:, 1]])
    parts = tf.strings.split(tf.strings.lower(texts), maxsplit=draw.size(-1, 1))
    buckets = tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, parts, 50)
    return buckets.to_tensor(shape=draw.one_of([[None, 3], [None, 1], None]))


def defaulted(draw: Draw) -> Any:
    tensor = draw.rows([2])
    rate = v1.placeholder_with_default(draw.constant([2]), [2])
    return tf.identity(tensor) * rate


_LOOP = ("Enter", "Exit", "LoopCond", "NextIteration")
CASES: dict[str, Case] = {
    **dict.fromkeys(_LOOP, _flow(loop, False)),
    "Switch": _flow(conditional, False),
    "_SwitchN": _flow(numbered, True),
    "Merge": _flow(constant_branches, False),
    **dict.fromkeys(("TensorArrayV3", "TensorArrayWriteV3", "TensorArrayReadV3",
        "TensorArrayScatterV3", "TensorArrayGatherV3"), _flow(array, False)),
    "TensorArraySizeV3": _flow(array_size, False),
    **dict.fromkeys(("TensorListFromTensor", "TensorListResize", "TensorListLength",
        "TensorListPushBack", "TensorListPopBack", "TensorListGather", "TensorListConcatV2",
        "EmptyTensorList"), _flow(listed, True)),
    **dict.fromkeys(("TensorListReserve", "TensorListSetItem", "TensorListGetItem",
        "TensorListStack"), _flow(reserved, True)),
    "While": stateless_loop("While"),
    "StatelessWhile": stateless_loop("StatelessWhile"),
    **{op: stateless(op) for op in ("If", "StatelessIf", "Case", "StatelessCase")},
    **{op: direct_call(op) for op in ("PartitionedCall", "StatefulPartitionedCall")},
    **dict.fromkeys(("VarHandleOp", "ReadVariableOp", "VariableShape", "ResourceGather"),
        _flow(variable, True)),
    "VariableV2": _flow(reference, True),
    **dict.fromkeys(("HashTableV2", "LookupTableFindV2", "LookupTableSizeV2"), _flow(table, True)),
    "PlaceholderWithDefault": _flow(defaulted, True),
    "Identity": _flow(called, True),
    "IdentityN": _flow(together, True),
    "StringSplitV2": _flow(words, True),
    "Const": _flow(constant_branches, True),
}  # fmt: skip
