"""Services that plugins register: checked, and each by one plugin."""

from __future__ import annotations

import pytest

from tests.core.plugins.sources import InstallPlugin, at_rest, installed
from tfaas_core.config import Config
from tfaas_core.errors import PluginError

SOURCE = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.service import Method, Service

async def echo(call):
    return call.body

def plain(call):
    return Response(b"")

@hookimpl
def tfaas_register_services(host):
    return [SERVICE]
"""


def source(service: str) -> str:
    return SOURCE.replace("SERVICE]", f"{service}]")


RIGHT = 'Service("lab.Echo", {"Say": Method(echo)})'


@pytest.mark.parametrize(
    ("service", "wrong"),
    [
        ("7", "returned 7 from tfaas_register_services, expected a Service"),
        ('Service("a b", {})', "with the name 'a b', expected one like 'package.Service'"),
        ("Service(7, {})", "with the name 7, expected one like 'package.Service'"),
        ('Service("lab.Echo", [])', "with the methods \\[\\], expected a mapping of names to Meth"),
        ('Service("lab.Echo", {"a-b": Method(echo)})', "with the method 'a-b', expected a name"),
        ('Service("lab.Echo", {"Say": echo})', "with Say as <function echo>, expected a Method"),
        (
            'Service("lab.Echo", {"Say": Method(echo, right="all")})',
            "with the right 'all' for Say, expected one of read, predict, upload, delete, admin",
        ),
        ('Service("lab.Echo", {"Say": Method(7)})', "but the handler of Say is 7, expected an `as"),
    ],
)
def test_a_wrong_service_is_an_error_that_names_the_plugin(
    install_plugin: InstallPlugin, config: Config, service: str, wrong: str
) -> None:
    install_plugin("tfaas-a", source(service))
    with pytest.raises(PluginError, match=f"plugin tfaas_a .*{wrong}"):
        installed().services(at_rest(config))


def test_a_name_belongs_to_one_plugin(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-a", source(RIGHT))
    host = at_rest(config)
    assert ("lab.Echo", "tfaas_a") in [
        (service.name, owner) for service, owner in installed().services(host)
    ]
    install_plugin("tfaas-b", source(RIGHT))
    with pytest.raises(PluginError, match=r"both claim the service `lab\.Echo`"):
        installed().services(host)
