from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.plugin_site import environment_with, write_plugin


def stderr_of(code: str, level: str, format: str) -> list[str]:
    """The lines that a process of its own logs; logging is configured for a whole process."""
    start = "import logging, warnings\nfrom tfaas_core.system.output.logs import configure\n"
    start += f"configure({level!r}, {format!r})\n"
    run = subprocess.run(
        [sys.executable, "-c", start + code], capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    return run.stderr.splitlines()


def documents(code: str, level: str = "info") -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr_of(code, level, "json")]


def test_text_is_one_line_a_record_with_level_and_logger() -> None:
    (line,) = stderr_of("logging.getLogger('tfaas.http').info('port %d', 8083)", "info", "text")
    assert " INFO tfaas.http[" in line
    assert line.endswith("]: port 8083")


def test_json_is_one_object_a_record() -> None:
    (record,) = documents("logging.getLogger('tfaas.http').info('a\\nb \\u00e9 %s', 1)")
    assert record["level"] == "info"
    assert record["logger"] == "tfaas.http"
    assert record["message"] == "a\nb \u00e9 1"
    assert record["time"].endswith("+00:00")
    assert isinstance(record["process"], int)


def test_json_carries_extras_whatever_their_type() -> None:
    (record,) = documents(
        "logging.getLogger('tfaas').info('x', extra={'model': 'vk', 'path': logging, 'level': 0})"
    )
    assert (record["model"], record["level"]) == ("vk", "info")
    assert record["path"].startswith("<module")


def test_json_carries_an_exception_on_the_same_line() -> None:
    (record,) = documents(
        "try: 1 / 0\nexcept ZeroDivisionError: logging.getLogger('tfaas').exception('x')"
    )
    assert record["exception"].endswith("ZeroDivisionError: division by zero")


def test_the_level_holds_for_tfaas_and_sanic_and_others_only_warn() -> None:
    code = """
import sanic.log
for name in ("tfaas.http", "sanic.root", "sanic.error", "sanic.server", "elsewhere"):
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger(name).log(level, name)
"""
    for level, ours, others in (("debug", 4, 2), ("info", 3, 2), ("error", 1, 2)):
        names = [record["logger"] for record in documents(code, level)]
        assert names.count("tfaas.http") == ours
        assert names.count("sanic.root") == ours
        assert names.count("sanic.error") == ours
        assert names.count("sanic.server") == ours
        assert names.count("elsewhere") == others


def test_the_level_holds_for_the_top_level_modules_of_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(tmp_path, "tfaas-own", "")
    entries = tmp_path / "tfaas_own-1.0.dist-info" / "entry_points.txt"
    entries.write_text("[tfaas]\nown = own_package.plugin:plugin\nbad = :\n")
    for name, value in environment_with(tmp_path).items():
        monkeypatch.setenv(name, value)
    code = """
for name in ("own_package", "own_package.codec.parts", "own", "own_packages"):
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger(name).log(level, name)
"""
    for level, ours in (("debug", 4), ("info", 3), ("error", 1)):
        names = [record["logger"] for record in documents(code, level)]
        assert names.count("own_package") == names.count("own_package.codec.parts") == ours
        assert names.count("own") == names.count("own_packages") == 2


def test_sanic_logs_no_access_and_nothing_of_its_own_format() -> None:
    code = """
from sanic import Sanic
Sanic("x")  # configures logging its own way
configure("info", "json")
logging.getLogger("sanic.access").error("GET /")
logging.getLogger("sanic.root").info("going on")
"""
    assert [record["message"] for record in documents(code)] == ["going on"]


def test_configuring_again_logs_nothing_twice() -> None:
    code = "configure('info', 'json')\nlogging.getLogger('tfaas').info('once')"
    assert len(documents(code)) == 1


def test_warnings_are_records_too() -> None:
    (record,) = documents("warnings.warn('old')")
    assert record["logger"] == "py.warnings"
    assert "UserWarning: old" in record["message"]
