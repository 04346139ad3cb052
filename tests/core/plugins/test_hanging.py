"""Plugins that do not come back."""

from __future__ import annotations

import sys

import pytest

from tests.core.plugins.sources import InstallPlugin, hook, installed
from tfaas_core.config import Config
from tfaas_core.errors import PluginError, StartupError
from tfaas_core.plugins import calls, plugins_of, time_limit


def test_a_plugin_that_does_not_come_back_is_an_error_that_names_it(
    install_plugin: InstallPlugin,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(time_limit, "TELL_EVERY_S", 0.1)
    monkeypatch.setattr(calls, "CALL_LIMIT_S", 0.2)
    monkeypatch.setattr(calls, "IMPORT_LIMIT_S", 0.3)
    hang = "import threading; threading.Event().wait()"
    install_plugin("tfaas-slow", hook("tfaas_register_codecs", hang))
    with pytest.raises(PluginError, match="does not return from tfaas_register_codecs"):
        installed().codecs(config)
    install_plugin("tfaas-slower", hang)
    with pytest.raises(PluginError, match=r"tfaas_slower .* cannot be imported within 0\.3 s"):
        installed("tfaas-slow")
    told = "plugin tfaas_slower (tfaas-slower 1.0) is still being imported after 0.1 s"
    assert caplog.text.count(told) == 1


def test_one_that_has_not_come_back_once_is_not_waited_for_again(
    install_plugin: InstallPlugin, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "CALL_LIMIT_S", 0.2)
    hang = "asked.append(1); import threading; threading.Event().wait()"
    install_plugin("tfaas-slow", f"asked = []\n{hook('tfaas_register_codecs', hang)}")
    errors: list[StartupError] = []
    plugins = plugins_of(config, errors.append)
    for _turn in range(3):
        plugins.codecs(config)
    assert (sys.modules["tfaas_slow"].asked, len(errors)) == ([1], 1)
