"""Rows that another machine brings, and how they are counted."""

from __future__ import annotations

import socket
import time

import numpy as np
import pytest

from tfaas_core.engine.in_model_process.far_connection import FarConnection
from tfaas_core.engine.shared.far_messages import Far
from tfaas_core.engine.shared.frames import encode_failure, encode_request
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import BadBody
from tfaas_core.testing.runtime import SIGNATURE


def test_a_request_with_the_id_of_another_is_not_counted_out_for_it() -> None:
    ours, theirs = socket.socketpair()
    meter = Meter.create(1)
    now_s = time.monotonic()
    connection = FarConnection(ours, Far(0, 10, 60.0, now_s, now_s), meter)
    parts = [[np.zeros((1, 3), np.float32)]] * 2
    frame = encode_request(7, now_s + 60, [1, 1], parts, SIGNATURE.inputs)[8:]
    with ours, theirs:
        connection.read(frame, SIGNATURE.inputs)
        assert meter.rows() == 2
        with pytest.raises(ValueError, match="two requests have the id 7"):
            connection.read(frame, SIGNATURE.inputs)
        for first, count in ((0, 1), (0, 2)):  # the second one's answer, then the first one's
            connection.send(encode_failure(7, first, count, BadBody("no")))
        assert meter.rows() == 0
    meter.close()
