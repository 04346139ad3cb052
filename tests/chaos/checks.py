"""What has to be true once all is quiet: what was acknowledged is there, and nothing else is."""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg

from tests.chaos.asking import Answer
from tests.chaos.clients import factor_in
from tests.chaos.ledger import ModelLedger
from tests.chaos.target import Target, shared_memory
from tfaas_core.testing.hosts import HEAVY_PLUGINS

_ASKED = 6
"""Connections, so that each HTTP worker answers some."""

_LOADED_WITHIN_S = 30.0
"""A version that nobody has asked for yet is loaded first: until then, it may be a 503."""

_ROW = [1, 2, 3]


def stored_is_whole(target: Target, ledgers: Iterable[ModelLedger]) -> list[str]:
    """Whether all that was acknowledged is served, by each worker."""
    return [wrong for ledger in ledgers for wrong in _wrong_of(target, ledger) if wrong]


def _wrong_of(target: Target, ledger: ModelLedger) -> Iterable[str]:
    for _ in range(_ASKED):
        answer = target.caller().ask("GET", f"/models/{ledger.name}/versions")
        if answer.outcome not in ("200", "404"):
            yield f"{ledger.name}: its versions are a {answer.outcome}: {answer.body[:200]!r}"
            continue
        yield ledger.listed(answer.json() if answer.outcome == "200" else [])
    for factor, number in ledger.surely().items():
        path = f"/models/{ledger.name}/versions/{number}/predict/json"
        answer = _answered(partial(target.caller().predict, "", _ROW, path))
        if answer.outcome != "200":
            yield f"{ledger.name}/{number}: acknowledged, and a {answer.outcome}"
        elif factor_in(answer, _ROW) != factor:
            yield f"{ledger.name}/{number}: answers {answer.body[:40]!r} where {factor} is right"


def _answered(ask: Callable[[], Answer]) -> Answer:
    end_s = time.monotonic() + _LOADED_WITHIN_S
    while (answer := ask()).outcome == "503" and time.monotonic() < end_s:
        time.sleep(0.1)
    return answer


def all_have_learned(target: Target, ledgers: Iterable[ModelLedger]) -> bool:
    """Whether all workers know of all that was acknowledged, while nobody changes anything."""
    for ledger in ledgers:
        for _ in range(_ASKED):
            answer = target.caller().ask("GET", f"/models/{ledger.name}/versions")
            listed = {"200": answer.json, "404": list}.get(answer.outcome)
            if listed is None or not ledger.agrees(listed()):
                return False
    return True


def leftovers(target: Target, in_memory: set[str]) -> list[str]:
    """Files that nobody needs, now that the server has ended: each by its path."""
    found = [str(path) for path in target.temporary.rglob("*")]
    found += [f"/dev/shm/{name}" for name in shared_memory() - in_memory]
    if target.storage == "filesystem":
        return found + list(_left_in_folder(target.models))
    found += [str(path) for path in (target.cache / ".staging").glob("*")]
    found += [str(path) for path in (target.cache / ".locks").glob("*")]
    return found + _left_in_database(target)


def _left_in_folder(root: Path) -> Iterable[str]:
    for path in root.iterdir():
        if path.name in (".staging", ".trash"):
            yield from map(str, path.iterdir())
        elif path.name.startswith("."):
            if path.name not in (".default.json", ".revision"):
                yield str(path)
        else:
            yield from _left_in_model(path)


def _left_in_model(folder: Path) -> Iterable[str]:
    there = os.listdir(folder)
    if not there:
        yield str(folder)
    for name in there:
        if name.isdigit():
            if not (folder / name / "version.json").exists():
                yield str(folder / name)
        elif name != "pointers.json":
            yield str(folder / name)


_PENDING = "SELECT count(*) FROM versions WHERE number IS NULL"
_STRAY_FILES = "SELECT count(*) FROM files WHERE version_id NOT IN (SELECT id FROM versions)"
_STRAY_CHUNKS = "SELECT count(*) FROM chunks WHERE file_id NOT IN (SELECT id FROM files)"


def _left_in_database(target: Target) -> list[str]:
    found = []
    for query in (_PENDING, _STRAY_FILES, _STRAY_CHUNKS):
        if rows := _counted(target, query):
            found.append(f"{rows} rows of {query}")
    return found


def _counted(target: Target, query: str) -> int:
    if target.storage == "sqlite":
        with closing(sqlite3.connect(target.models)) as file:
            return int(file.execute(query).fetchone()[0])
    url = next(s for s in target.settings if s.startswith("storage.url=")).partition("=")[2]
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])


def wrong_in_the_end(target: Target) -> list[str]:
    """What ``tfaas verify`` says of all that is stored, and what the logs say of bugs."""
    found = []
    options = [f"--set={setting}" for setting in target.settings]
    heavy = str(list(HEAVY_PLUGINS)).replace("'", '"')
    command = [sys.executable, "-m", "tfaas_core", "verify", f"--set=plugins.disabled={heavy}"]
    verified = subprocess.run([*command, *options], capture_output=True, text=True)
    if verified.returncode:
        found.append(f"tfaas verify: {verified.stdout}{verified.stderr}")
    for log in sorted(target.folder.glob("start-*/server.log")):
        found += [f"{log}: {bug}" for bug in _bugs(log.read_text(errors="replace"))]
    return found


_EXCUSED = re.compile(r"^OSError: (\[Errno 24\]|too many files are open)", re.M)
"""What ends a traceback that is no bug: no descriptors were left."""

_NEXT_RECORD = re.compile(r"^\d{4}-\d\d-\d\d ", re.M)


def _bugs(log: str) -> Iterable[str]:
    for record in _records(log):
        if "Traceback" in record and not _EXCUSED.search(record):
            yield record[:6000]


def _records(log: str) -> Iterable[str]:
    starts = [found.start() for found in _NEXT_RECORD.finditer(log)] + [len(log)]
    return [log[begin:end] for begin, end in itertools.pairwise(starts)]
