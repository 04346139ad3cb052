"""nginx, where it is installed: ``apt-get install nginx``."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers import Server
from tfaas_core.testing.waiting import until

_CONFIG = """
daemon off; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    {http}
    server {{
        listen 127.0.0.1:{port}{tls};
        {server}
    }}
}}
"""


def is_installed() -> bool:
    """Whether there is one."""
    return shutil.which("nginx") is not None


@contextmanager
def nginx(
    name: str, folder: Path, server: str, http: str = "", has_tls: bool = False
) -> Iterator[Server]:
    """One on a free port, with these lines of a configuration. ``folder`` is for scratch."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config, tls = folder / "nginx.conf", " ssl" if has_tls else ""
    config.write_text(_CONFIG.format(folder=folder, http=http, server=server, port=port, tls=tls))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(config)])
    try:
        until(lambda: _listens(port))
        yield Server(name, process.pid, f"http{'s' if has_tls else ''}://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
