"""Makes the models of the tests anew: ``python make_models.py``. It takes TensorFlow."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

HERE = Path(__file__).parent


class Sum(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def of_rows(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.reduce_sum(x * [[1.0, 2.0, 3.0]], 1, keepdims=True)}

    @tf.function(input_signature=[tf.TensorSpec([1, 3], tf.float32, name="x")])
    def of_one(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.of_rows(x)


module = Sum()
for name, function, holder in (
    ("sum", module.of_rows, module),
    ("unsigned", module.of_one, None),
):
    concrete = [function.get_concrete_function()]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(concrete, holder)
    (HERE / f"{name}.tflite").write_bytes(converter.convert())
