"""The pytest plugin: fixtures for the tests of plugins, and suites whose assertions speak.

pytest loads it by its entry point into every run where TFaaS is installed, so it imports nothing of
TFaaS before a fixture is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tfaas_core.host import Host
    from tfaas_core.testing.server import RunningServer

pytest.register_assert_rewrite("tfaas_core.testing")

_EXTRA = ("httpx", "psutil")


@pytest.fixture(scope="session")
def tfaas_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., RunningServer]]:
    """Starts servers: ``tfaas_server("server.workers=1")`` is one with this setting.

    It is a real ``tfaas serve`` on a free port, with all plugins that are installed. The first call
    with some settings starts it, further ones give the same one, and it ends with the session. Its
    models are those of the FakeRuntime, and TensorFlow is left out, unless ``fake_models=False``.
    """
    _check_extra()
    from tfaas_core.testing.clients import fake_server
    from tfaas_core.testing.server import running_server

    servers: dict[tuple[object, ...], RunningServer] = {}
    with ExitStack() as running:

        def server(*settings: str, fake_models: bool = True) -> RunningServer:
            key = (fake_models, *settings)
            if key not in servers:
                folder = tmp_path_factory.mktemp("tfaas-server")
                start = fake_server if fake_models else running_server
                servers[key] = running.enter_context(start(folder, *settings))
            return servers[key]

        yield server


@pytest.fixture
def tfaas_host_of() -> Callable[..., AbstractAsyncContextManager[Host]]:
    """``tfaas_core.testing.hosts.host_of``: hosts in the process of the test."""
    from tfaas_core.testing.hosts import host_of

    return host_of


def _check_extra() -> None:
    for name in _EXTRA:
        try:
            importlib.import_module(name)
        except ImportError:
            pytest.fail(f"tfaas_server needs {name}: pip install 'tfaas[testing]'", pytrace=False)
