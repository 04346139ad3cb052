"""Fixtures for tests of every room."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.plugin_site import write_plugin
from tests.zygote import Zygote, forking
from tfaas_core.system.resources.collecting import lasting
from tfaas_core.testing.postgresql import ADDRESS, PostgresqlServer, running_postgresql

InstallPlugin = Callable[..., Path]

ZYGOTE = pytest.StashKey[Zygote]()

# How long an example takes says more of what else the machine does.
settings.register_profile(
    "patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

SLOW_FIRST = (
    "examples/test_storage_s3.py",
    "examples/test_codec_root.py",
    "examples/test_storage_tfserving.py",
    "backends/storages/sql/test_postgresql.py",
    "server/test_replicas.py",
    "server/test_conformance.py",
    "cli/inspect/test_inspect.py",
    "docs/test_examples.py",
    "plugins/codecs/test_held.py",
    "plugins/protocols/test_held.py",
    "core/engine/test_local_engine.py",
    "backends/engines/ray/test_cluster.py",
    "chaos/test_chaos.py",
    "cluster/test_cluster.py",
    "server/test_processes.py",
    "backends/runtimes/independence/test_rules.py",
    "cli/test_new.py",
    "server/test_failed_start.py",
    "server/test_grpc_hostile.py",
    "server/test_listeners.py",
    "server/test_grpc.py",
    "examples/test_codec_arrow.py",
    "cli/test_copy_postgresql.py",
    "cli/served/test_tfserving.py",
    "server/test_inline.py",
    "server/page/test_graph_viewer.py",
    "cli/served/test_interrupted.py",
    "server/test_health.py",
    "server/test_management.py",
    "cli/served/test_triton.py",
    "examples/test_codec_csv.py",
    "server/page/test_upload.py",
    "server/test_demo.py",
    "backends/runtimes/saved_model/test_contract.py",
    "cli/client/test_uploads.py",
    "server/test_descriptors.py",
    "backends/storages/sql/test_sqlite.py",
    "cli/inspect/test_refusals.py",
    "core/testing/test_suites.py",
    "backends/storages/filesystem/test_storage.py",
    "backends/storages/sql/test_files.py",
    "server/test_versions_api.py",
    "server/page/test_frame.py",
    "server/page/test_models.py",
    "server/page/test_model.py",
    "server/test_lifespans.py",
    "server/test_access_log.py",
    "server/test_database_rights.py",
)
"""The files that take longest. One that began last would run alone while the other cores idle."""


def pytest_configure() -> None:
    # Whoever starts the tests in the background of a script has it ignored, and so would have all
    # that they start, and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # What twelve thousand tests are made of is no garbage, and would be looked through again by
    # each process that a test forks.
    with lasting(leaves_garbage=False):
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = {Path(__file__).parent / file: place for place, file in enumerate(SLOW_FIRST)}
    assert all(path.exists() for path in slow), "SLOW_FIRST names a file that is not there"
    items.sort(key=lambda item: slow.get(item.path, len(slow)))


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    session.stash[ZYGOTE] = zygote = Zygote()
    with forking(zygote):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # Before fixtures, of which those of a module come before those of a test.
    is_fresh = item.get_closest_marker("fresh_python") is not None
    item.session.stash[ZYGOTE].is_wanted = not is_fresh


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    # A command that was run in this process may have blocked signals, as `tfaas serve` does until
    # it listens to them; and the zygote forks for nobody whose signals are not as its own.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path``; what it holds is forgotten after the test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def install_plugin(site: Path) -> InstallPlugin:
    """Installs a third-party plugin: a distribution with a module and an entry point.

    ``install_plugin("tfaas-csv", source, version="1.0")`` makes the module ``tfaas_csv``; gives
    the folder that it was put into.
    """

    def install(distribution: str, source: str, version: str = "1.0") -> Path:
        write_plugin(site, distribution, source, version)
        importlib.invalidate_caches()
        return site

    return install


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server; ``database_for`` makes databases there, in spawned processes, too."""
    with running_postgresql() as server:
        os.environ[ADDRESS] = server.address
        yield server
        del os.environ[ADDRESS]
