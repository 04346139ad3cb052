"""Messages of our own beside those of TensorFlow, TensorFlow Serving and Triton, in one process."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tfaas_plugins.protocols.private_pool import message_class

from tests.plugins.protocols import beside_others


@pytest.mark.parametrize("order", ["first", "last"])
def test_our_messages_live_beside_those_of_others_and_read_their_bytes(order: str) -> None:
    command = [sys.executable, "-m", beside_others.__name__, order]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_message_has_one_class() -> None:
    assert message_class("tensorflow.TensorProto") is message_class("tensorflow.TensorProto")


def test_there_is_no_message_of_another_name() -> None:
    with pytest.raises(KeyError):
        message_class("tensorflow.GraphDef")
