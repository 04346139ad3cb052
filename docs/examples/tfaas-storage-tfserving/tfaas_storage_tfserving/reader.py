"""Reader: sees to it that each version which is to be served is read, one at a time."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

import msgspec

import tfaas_core
from tfaas_storage_tfserving.files import artifact_in, folder_of, numbers, state_of
from tfaas_storage_tfserving.reading import Job
from tfaas_storage_tfserving.records import Finding, Records
from tfaas_storage_tfserving.sources import Source, Sources, Told

_AGAIN_S = 60.0
"""What was killed while it was read is tried again after this time."""

_log = logging.getLogger(__name__)


class _Running(msgspec.Struct, frozen=True):
    """A job, its process, and what that says."""

    job: Job
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def close(self) -> None:
        """Gives the files back."""
        self.errors.close()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Reader:
    """Starts the processes that read. Of all that share the records, one reader reads.

    Methods may be called from any thread, one at a time, but for ``close``. They raise OSError.
    """

    def __init__(self, sources: Sources, records: Records, folder: Path) -> None:
        """``folder``: whose ``tfaas.toml`` says how models are loaded."""
        self._sources = sources
        self._records = records
        self._folder = folder
        self._lock: int | None = None
        self._running: _Running | None = None
        where = hashlib.sha256(os.fsencode(sources.where)).hexdigest()[:16]
        self._office = records.root / f".reader-{where}"
        self._scratch = records.root / f".scratch-{where}"
        self._again_at_s: dict[Path, float] = {}
        self._seen: set[tuple[str, Path]] = set()
        self._stepping = threading.Lock()
        self._told = Told()
        self._closed = False

    def step(self) -> bool:
        """Takes note of what has been read and of what is gone, and goes on with the next version.

        Returns whether one is being read. Does nothing if another process has that office.
        """
        with self._stepping:
            if self._closed or not self._holds_office():
                return False
            if self._running is not None:
                if self._running.process.poll() is None:
                    return True
                self._end(self._running)
            self._forget_gone()
            job = next(self._jobs(), None)
            if job is not None:
                self._start(job)
            return job is not None

    def close(self) -> None:
        """Ends what is being read, and gives up the office."""
        self._closed = True
        running = self._running
        if running is not None:
            _kill(running.process)
        with self._stepping:
            if self._running is not None:
                _kill(self._running.process)
                self._running.close()
                self._running = None
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _holds_office(self) -> bool:
        if self._lock is not None:
            return True
        office = os.open(self._office, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(office, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(office)
            return False
        self._lock = office
        return True

    # What there is to read.

    def _jobs(self) -> Iterator[Job]:
        for source in self._sources.all():
            good = 0
            for number in numbers(source.base):
                if not source.policy.takes(number):
                    continue
                version = folder_of(source.base, number)
                try:
                    finding, job = self._due(source, version)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    self._told.warn(str(version), f"version {version} cannot be read: {error}")
                    continue
                if job is not None:
                    yield job
                good += job is not None or (finding is not None and finding.record is not None)
                if good and good == source.policy.latest:
                    break

    def _due(self, source: Source, version: Path) -> tuple[Finding | None, Job | None]:
        """What is known of a version, and what is to be done about it now."""
        finding = self._records.get(source.name, version)
        if artifact_in(version) is None:
            if state_of(version).is_settled:
                why = "it holds no saved_model.pb, no model.savedmodel and no model.graphdef"
                told = f"version {source.name}/{version.name}, in {version}, is not served: {why}"
                self._told.warn(f"no model in {version}", told)
            return finding, None
        self._told.forget(f"no model in {version}")
        self._seen.add((source.name, version))
        state = state_of(version)
        job = Job(
            name=source.name,
            path=str(version),
            params=source.params,
            files=state.fingerprint,
            fingerprint=fingerprint_of(source, state.fingerprint),
            records=str(self._records.root),
            scratch=str(self._scratch),
        )
        if finding is not None and finding.fingerprint == job.fingerprint:
            again = finding.again and time.monotonic() >= self._again_at_s.get(version, 0.0)
            return finding, job if again else None
        return finding, job if state.is_settled else None

    def _forget_gone(self) -> None:
        for gone in [each for each in self._seen if artifact_in(each[1]) is None]:
            self._seen.discard(gone)
            self._records.drop(*gone)

    # Its processes.

    def _start(self, job: Job) -> None:
        _log.info("reading version %s/%d, in %s", job.name, job.number, job.path)
        shutil.rmtree(self._scratch, ignore_errors=True)
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - the process has it
        command = [sys.executable, "-m", "tfaas_storage_tfserving.reading"]
        try:
            process = subprocess.Popen(
                [*command, msgspec.json.encode(job).decode()],
                cwd=self._folder,
                stdin=subprocess.PIPE,  # it ends when that does
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for the server
            )
        except BaseException:
            errors.close()
            raise
        self._running = _Running(job, process, errors)

    def _end(self, running: _Running) -> None:
        """Tells of what was read."""
        job, version = running.job, Path(running.job.path)
        self._running = None
        shutil.rmtree(self._scratch, ignore_errors=True)
        with closing(running):
            finding = self._records.get(job.name, version)
            if finding is None or finding.fingerprint != job.fingerprint or finding.again:
                if running.process.returncode == 0 or artifact_in(version) is None:
                    return  # the files were changed meanwhile
                finding = Finding(job.fingerprint, reason=_death(running), again=True)
                self._again_at_s[version] = time.monotonic() + _AGAIN_S
                self._records.put(job.name, version, finding)
        if finding.record is None:
            what = f"version {job.name}/{job.number}, in {version},"
            _log.warning("%s is not served: %s", what, finding.reason)


def fingerprint_of(source: Source, files: str) -> str:
    """What a finding has that is of these files, and of what is said of their model."""
    said = msgspec.json.encode((source.name, source.params, tfaas_core.__version__, files))
    return hashlib.sha256(said).hexdigest()


def _death(running: _Running) -> str:
    code = running.process.returncode
    if code < 0:
        return f"the process that read it was killed by {signal.Signals(-code).name}"
    running.errors.seek(0)
    last = running.errors.read().decode(errors="replace").strip().splitlines()[-1:]
    return f"it could not be read: {last[0] if last else f'exit status {code}'}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a reading process with its own processes."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
