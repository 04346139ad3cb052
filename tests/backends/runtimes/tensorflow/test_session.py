"""Sessions of graphs that cannot be opened."""

from __future__ import annotations

from typing import Any

import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.session import GraphSession

from tfaas_core.errors import CannotServe, Unavailable


@pytest.mark.parametrize("plain", [False, True])
def test_a_session_that_lacks_memory_says_whose_fault_that_is(plain: bool) -> None:
    def initialise(session: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    with pytest.raises(CannotServe, match="than a model may take, 7 bytes"):
        GraphSession(tf.Graph(), [], 1, initialise, plain, memory_bytes=7)
    with pytest.raises(Unavailable, match="not enough memory to load"):
        GraphSession(tf.Graph(), [], 1, initialise, plain)
