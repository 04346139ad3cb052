"""What fork servers do once: the code of TensorFlow's products of matrices is there before."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfaas_backends.runtimes.tensorflow.preload import PRELOAD

from tests.backends.runtimes.apart import run_python

_PRELOADED = f"""
import os
import numpy as np
from tfaas_core.engine.in_fork_server.preload import preload
preload({PRELOAD}, lambda module: None)
print(len(os.listdir("/proc/self/task")), flush=True)
"""

_MULTIPLIED_IN_A_FORK = """
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.session import Feeds, GraphSession

def made_here():
    with open("/proc/self/maps") as maps:
        mapped = [line.split() for line in maps]
    return {each[0] for each in mapped if "x" in each[1] and len(each) == 5}

before = made_here()
if os.fork() == 0:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder("float32", [None, 20])
        y = tf.matmul(x, tf.ones([20, 30]))
    session = GraphSession(graph, [Feeds([x], [y])], 1)
    (answer,) = session.run([np.ones((4, 20), np.float32)])
    print(answer.shape, answer.min(), answer.max(), len(made_here() - before), flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(
    any(Path("/dev").glob(name) for name in ("nvidia*", "nvhost*", "dxg", "kfd")),
    reason="forks could not use its cards then",
)
def test_a_fork_makes_no_code_for_its_first_product() -> None:
    done = run_python(_PRELOADED + _MULTIPLIED_IN_A_FORK)
    assert (done.stdout, done.stderr) == ("1\n(4, 30) 20.0 20.0 0\n", "")


def test_no_thread_stays_where_sessions_are_said_to_share_theirs() -> None:
    share = 'import os; os.environ["TF_OVERRIDE_GLOBAL_THREADPOOL"] = "0"\n'
    done = run_python(share + _PRELOADED)
    assert (done.stdout, done.stderr) == ("1\n", "")
