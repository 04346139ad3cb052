"""The proxies of deploy/, started for real."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.parts import DEPLOY, needs_program
from tfaas_core.testing.ports import lasting_port
from tfaas_core.testing.waiting import until

PLACES = ("10.0.0.7:8083", "10.0.0.8:8083", "10.0.0.9:8083")
"""Where the hosts are, as the files say."""

MORE = tuple(f"10.0.0.{number}:8083" for number in range(10, 17))
"""Of further hosts, which whoever has them would add in the same way."""

needs_proxies = [
    needs_program("haproxy", "haproxy"),
    needs_program("nginx", "nginx"),
    needs_program("openssl", "openssl"),
]

OUTER_NGINX = """
daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxied;
    fastcgi_temp_path fastcgi;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    include {file};
}}
"""


@contextmanager
def running(folder: Path, name: str, pem: Path, hosts: Mapping[str, str]) -> Iterator[str]:
    """A proxy with its configuration of deploy/, but for addresses, ports and the certificate.

    ``hosts``: where those of PLACES and MORE are that there are.
    """
    port = lasting_port()
    file = folder / f"{name}.cfg"
    ending = {"haproxy": "cfg", "nginx": "conf"}[name]
    file.write_text(placed((DEPLOY / f"{name}.{ending}").read_text(), port, pem, hosts))
    outer = folder / "outer.conf"
    outer.write_text(OUTER_NGINX.format(file=file))
    command = {
        "haproxy": ["haproxy", "-db", "-f", str(file)],
        "nginx": ["nginx", "-p", str(folder), "-c", str(outer)],
    }[name]
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"https://127.0.0.1:{port}"
        until(lambda: _answers(port), what=f"{name} listens: {log.name}")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def placed(text: str, port: int, pem: Path, hosts: Mapping[str, str]) -> str:
    """A configuration of deploy/ for these hosts; those that are not among them go."""
    text, bound = re.subn(r"(bind |listen )(:?)8443", rf"\g<1>127.0.0.1:{port}", text)
    text = re.sub(r"\n +server .*10\.0\.0\.9:8083.*", _with_more, text)
    text, certified = re.subn(r"/etc/(haproxy|nginx)/tfaas.pem", str(pem), text)
    for place in (*PLACES, *MORE):
        assert place in text
        if place in hosts:
            text = text.replace(place, hosts[place])
        else:
            text = re.sub(rf"\n +server .*{re.escape(place)}.*", "", text)
    # Which takes a while with the seconds that are there.
    text = text.replace("check inter 1s", "check inter 100ms")
    assert bound == 1
    assert certified
    return text


def _with_more(line: re.Match[str]) -> str:
    """The line of the third host, and those of MORE: ``id 3`` becomes ``id 4``, and so on."""
    lines = [line[0]]
    for number, place in enumerate(MORE, start=4):
        named = re.sub(r"\b(host|id )3\b", rf"\g<1>{number}", line[0])
        lines.append(named.replace(PLACES[2], place))
    return "".join(lines)
