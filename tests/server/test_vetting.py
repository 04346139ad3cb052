"""An upload of a model that does more than compute on tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfaas_core.testing.server import RunningServer


def test_what_no_model_may_do_is_refused_with_the_op_the_node_and_the_way_there(
    server: RunningServer, frozen: Callable[[Callable[[Any], Any]], bytes], clean: None
) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.string, [], "x")
        tf.io.read_file(x, "y")

    answer = server.http.post("/upload", files={"model": frozen(build)}, data={"name": "reader"})
    assert answer.status_code == 422
    told = answer.json()
    assert "node 'y' uses 'ReadFile', which reaches for files of the server: " in told.pop("error")
    expected = {"op": "ReadFile", "node": "y", "path": ["y"]}
    assert told == {"status": 422, "code": "cannot_serve", **expected}
    assert "reader" not in server.names()
