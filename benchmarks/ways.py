"""What one row costs an HTTP worker, by each protocol: ``python -m benchmarks.ways``.

It takes its whole way, but for sockets, gRPC's library and the model's process, many in each turn
of the event loop. All by the CPU time of one thread, so that it can be compared on a busy machine,
too.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial

import uvloop
from tfaas_plugins.grpc_server.call import GrpcCall
from tfaas_plugins.grpc_server.heads import head_of

from benchmarks.bodies import as_binary_oip, as_columns, as_instances, as_json, as_oip, float_rows
from benchmarks.grpc_calls import calls_of_a_row
from benchmarks.watching import MODEL, ROUNDS, AtOnce, Way, model, turns_us
from tfaas_core.host import Host
from tfaas_core.route import ClientAddress
from tfaas_core.testing.hosts import host_of

_INPUT = "x"
_JSON = "JSON"


async def measured() -> dict[str, float]:
    """The least of many rounds, in turn."""
    bodies = {
        _JSON: as_json(MODEL, 1),
        "TensorFlow Serving, instances": as_instances(MODEL, 1),
        "TensorFlow Serving, inputs": as_columns(MODEL, 1),
        "Open Inference, JSON": as_oip(MODEL, _INPUT, 1),
        "Open Inference, binary": as_binary_oip(MODEL, _INPUT, float_rows(1)),
    }
    async with host_of([], {MODEL: model()}, engine=AtOnce()) as host:
        ways = {name: Way(host, body).request_us for name, body in bodies.items()}
        ways |= {name: partial(turns_us, ask) for name, ask in _calls(host).items()}
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(ROUNDS):
            for name, way in ways.items():
                least[name] = min(least[name], await way())
    return least


def _calls(host: Host) -> dict[str, Callable[[], Awaitable[None]]]:
    methods, client = host.services().methods, ClientAddress("127.0.0.1", 1)

    async def ask(path: str, message: bytes) -> None:
        async def read() -> bytes:
            return message

        metadata = (("te", "trailers"), ("user-agent", "benchmark"))
        call = GrpcCall(head_of(path, metadata, "http"), client, read, host.in_flight)
        response = await methods[path].passage(call)
        call.give_back()
        if response.status != 200:
            sys.exit(f"the call was answered {response.status}")

    return {name: partial(ask, *call) for name, call in calls_of_a_row(MODEL, _INPUT).items()}


def main() -> None:
    """Prints a line each."""
    least = uvloop.run(measured())
    for name, us in least.items():
        print(f"{us:8.2f} us  {us / least[_JSON]:5.2f}  {name}")


if __name__ == "__main__":
    main()
