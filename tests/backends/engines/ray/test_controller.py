"""What the controller of hosts keeps while they are started anew; no Ray is started."""

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

_TELLS = """
import asyncio
from tfaas_backends.engines.ray import controller as module
from tfaas_backends.engines.ray.host_config import packed
from tfaas_core.config import load_config

def config(most):
    token = "engine.remote.token=a-token-of-the-whole-cluster"
    return packed(load_config(None, [token, f"engine.remote.max_replicas={most}"], {}))

async def main():
    controller = module.Controller(config(2))
    controller._is_settled = True
    controller._wants.replicas = {"vk": 2}
    for most in (3, 4, 1):
        await controller._tell()
        print(controller._told.replicas)
        controller._take(config(most))
    await controller._tell()
    print(controller._told.replicas)

asyncio.run(main())
"""


def printed_by(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


@needs_ray
def test_a_host_may_take_as_long_to_end_as_what_it_runs_by_says() -> None:
    assert printed_by(_ENDS) == "ended its host\nkilled: \n"


@needs_ray
def test_on_how_many_hosts_models_are_is_told_as_before_until_it_is_known_anew() -> None:
    assert printed_by(_TELLS) == "{'vk': 2}\n{'vk': 2}\n{'vk': 2}\n{}\n"
