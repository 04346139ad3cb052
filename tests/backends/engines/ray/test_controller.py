"""How long the controller of hosts waits for them; no Ray is started."""

from __future__ import annotations

import subprocess
import sys

from tests.backends.engines.ray.installed import needs_ray

_ENDS = """
import asyncio
from types import SimpleNamespace
from tfaas_backends.engines.ray import controller as module
from tfaas_backends.engines.ray.host import stop_limit_s
from tfaas_backends.engines.ray.host_config import packed
from tfaas_core.config import load_config

module._ANSWER_S = -10.0
module.ray = SimpleNamespace(kill=lambda actor: print("ended", actor.name))

def config(request_timeout_s):
    token = "engine.remote.token=a-token-of-the-whole-cluster"
    return load_config(None, [token, f"server.request_timeout_s={request_timeout_s}"], {})

class Host:
    name = "its host"

    def __init__(self):
        self.stop = SimpleNamespace(remote=self.answers)

    async def answers(self):
        await asyncio.sleep(0.5)  # what it was asked before
        return ""

async def main():
    controller = module.Controller(packed(config(60)))
    node = module._Node(Host(), "10.0.0.1", stop_limit_s(controller._config))
    controller._take(packed(config(0.1)))
    print("killed:", await controller._end(node))

asyncio.run(main())
"""


@needs_ray
def test_a_host_may_take_as_long_to_end_as_what_it_runs_by_says() -> None:
    program = [sys.executable, "-c", _ENDS]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "ended its host\nkilled: \n"
