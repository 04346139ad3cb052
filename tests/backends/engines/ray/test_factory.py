"""What ``[engine.ray]`` may say, and which nodes have a host by it; no Ray is started."""

from __future__ import annotations

from typing import Any

import pytest
from tfaas_backends.engines.ray.factory import RayEngineFactory
from tfaas_backends.engines.ray.host_config import digest, packed, unpacked, with_token
from tfaas_backends.engines.ray.needs import Needs
from tfaas_backends.engines.ray.table import RayTable

from tests.backends.engines.ray.installed import needs_ray
from tfaas_core.config import Config, load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.errors import ConfigError
from tfaas_core.plugins import load_plugins

TOKEN = "engine.remote.token=a-token-of-the-whole-cluster"


def configured(*settings: str) -> Config:
    return load_plugins().configured(load_config(None, settings, {}))


@needs_ray
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (["engine.isolation=inline"], "hosts need processes for models.*isolation`"),
        ([TOKEN, 'engine.remote.hosts=["127.0.0.1:1"]'], "leave it out - at `.*remote.hosts`"),
        (["engine.ray.address=auto"], "hosts of a cluster need a token.*remote.token`"),
        (["engine.ray.max_hosts=1", "engine.ray.min_hosts=2"], ">= 2.*ray.max_hosts`"),
        (["engine.remote.tls_ca=/nowhere"], "Expected `tls_cert` beside it - at `.*tls_ca`"),
    ],
)
def test_what_no_host_can_run_by_is_told_before_anything_starts(
    settings: list[str], why: str
) -> None:
    context = EngineContext(configured(*settings), {}, 1)
    with pytest.raises(ConfigError, match=why):
        RayEngineFactory().supervisor(context)


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.0.1:port", "http://10.0.0.1:1", "a b:1"])
def test_an_address_that_cannot_be_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"\$\.engine\.ray\.address"):
        configured(f"engine.ray.address={address}")


@pytest.mark.parametrize(
    ("node", "has_room"),
    [
        ({"Alive": True, "Resources": {"CPU": 2.0, "tf": 1.0}, "Labels": {"zone": "a"}}, True),
        ({"Alive": False, "Resources": {"CPU": 2.0, "tf": 1.0}, "Labels": {"zone": "a"}}, False),
        ({"Alive": True, "Resources": {"CPU": 1.0, "tf": 1.0}, "Labels": {"zone": "a"}}, False),
        ({"Alive": True, "Resources": {"CPU": 2.0}, "Labels": {"zone": "a"}}, False),
        ({"Alive": True, "Resources": {"CPU": 2.0, "tf": 1.0}, "Labels": {"zone": "b"}}, False),
        ({"Alive": True}, False),
    ],
)
def test_nodes_that_are_large_enough_and_are_meant_have_a_host(
    node: dict[str, Any], has_room: bool
) -> None:
    needs = Needs.of(RayTable(num_cpus=2, resource="tf", labels={"zone": "a"}))
    assert needs.are_met_by(node) is has_room


def test_hosts_get_the_configuration_but_for_what_only_the_server_knows() -> None:
    config = configured('storage.url={ env = "DATABASE" }', "storage.kind=sql")
    sent = unpacked(packed(with_token(config, "a-token")))
    assert sent.storage.rest["url"] == {"env": "DATABASE"}
    assert load_plugins().configured(sent).engine_settings("remote").token == "a-token"
    assert digest(sent) == digest(with_token(config, "a-token"))
    assert digest(sent) != digest(config)
    assert digest(configured("server.port=1")) == digest(configured())
    by_port, by_client = (f"engine.ray.address={a}10.0.0.1:1" for a in ("", "ray://"))
    assert digest(configured(by_port)) == digest(configured(by_client))
    assert digest(configured("engine.ray.num_cpus=2")) != digest(configured())
