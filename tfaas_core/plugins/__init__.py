"""Plugins: found, asked what they register, and checked as it comes in."""

from __future__ import annotations

from tfaas_core.plugins.finding import BUILTIN_PLUGINS
from tfaas_core.plugins.loading import load_plugins, plugins_of
from tfaas_core.plugins.paths import model_predict_paths, predict_paths
from tfaas_core.plugins.plugin import Plugin
from tfaas_core.plugins.plugins import Plugins
from tfaas_core.plugins.sections import choose

__all__ = [
    "BUILTIN_PLUGINS",
    "Plugin",
    "Plugins",
    "choose",
    "load_plugins",
    "model_predict_paths",
    "plugins_of",
    "predict_paths",
]
