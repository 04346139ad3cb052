"""An S3 server for tests: moto, in a process of its own, which keeps buckets in its memory.

``python s3_server.py`` prints the port, and serves until its stdin ends. It takes one request at a
time, since moto asks for a condition and then writes, and between them lets another request in.
With SIGUSR1 it closes its port, and opens it again with the next.
"""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUCKET = "models"
KEYS = ("tester", "secret")
ENDPOINT = "TFAAS_TEST_S3"
"""The variable that tells processes of the tests where the server is."""


class S3Server:
    """A running server, as its tests see it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.endpoint = f"http://127.0.0.1:{port}"

    def toggle(self) -> None:
        """Closes the port, so that connections are refused, or opens it again."""
        self.process.send_signal(signal.SIGUSR1)
        assert self.process.stdout is not None
        self.process.stdout.readline()


@contextmanager
def s3_server(python: str = sys.executable, **environment: str) -> Iterator[S3Server]:
    """A server with an empty bucket ``models``, while the block lasts."""
    process = subprocess.Popen(
        [python, "-W", "ignore", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            yield S3Server(process, int(process.stdout.readline()))
        finally:
            process.send_signal(signal.SIGCONT)
            process.stdin.close()


def table(folder: Path, **more: object) -> dict[str, object]:
    """A ``[storage]`` table; models under the same ``folder`` are the same."""
    prefix = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return {
        "bucket": BUCKET,
        "prefix": f"test/{prefix}",
        "endpoint": os.environ[ENDPOINT],
        "access_key": KEYS[0],
        "secret_key": KEYS[1],
        "cache": str(folder / "cache"),
        "poll_s": 0.1,
        "lease_s": 2,
        "timeout_s": 20,
        **more,
    }


def make_storage(folder: Path, **more: object) -> Any:
    """What the contract suite tests."""
    from tfaas_storage_s3 import make_s3_storage

    return make_s3_storage(table(folder, **more), folder)


@contextmanager
def opened(folder: Path, **more: object) -> Iterator[Any]:
    """A storage that is ready for use; ``more`` is what else its table says."""
    storage = make_storage(folder, **more)
    storage.open()
    yield storage
    storage.close()


def _serve() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import BaseWSGIServer, make_server

    dispatch = DomainDispatcherApplication(create_backend_app)
    one = threading.Lock()

    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with one:
            return list(dispatch(environ, start))

    def begin(port: int) -> BaseWSGIServer:
        server = make_server("127.0.0.1", port, application, threaded=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    server: BaseWSGIServer | None = begin(0)
    port = server.port if server is not None else 0
    _make_bucket(f"http://127.0.0.1:{port}")

    def toggle(*_: object) -> None:
        nonlocal server
        if server is None:
            server = begin(port)
        else:
            server.shutdown()
            server.server_close()
            server = None
        print("toggled", flush=True)

    signal.signal(signal.SIGUSR1, toggle)
    print(port, flush=True)
    sys.stdin.read()


def _make_bucket(endpoint: str) -> None:
    import boto3  # type: ignore[import-untyped]

    keys = {"aws_access_key_id": KEYS[0], "aws_secret_access_key": KEYS[1]}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket=BUCKET)


if __name__ == "__main__":
    _serve()
