"""Whose request it is that a proxy in front passes on."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.routing.test_seam import Arriving
from tfaas_core.fields import Headers
from tfaas_core.observer import Answered, Observer
from tfaas_core.route import ClientAddress, Head, Request, Response, Route
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.proxies import Proxies
from tfaas_core.routing.seam import sealed

PEER = ClientAddress("10.0.0.1", 4000, "CN=proxy")
TRUSTED = ("10.0.0.0/8", "192.168.1.1", "fd00::/8")


def proxies(header: str = "X-Forwarded-For", *trusted: str) -> Proxies:
    found = Proxies.of(trusted or TRUSTED, header)
    assert found is not None
    return found


def client(
    *values: str, header: str = "X-Forwarded-For", peer: ClientAddress = PEER
) -> tuple[str, int]:
    """The address that is found, and its port."""
    found = proxies(header).client(peer, Headers([(header, value) for value in values]))
    return found.ip, found.port


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ("10.0.0.1", 4000)),
        ([""], ("10.0.0.1", 4000)),
        (["198.51.100.7"], ("198.51.100.7", 0)),
        (["198.51.100.7:5123"], ("198.51.100.7", 5123)),
        (["2001:db8::7"], ("2001:db8::7", 0)),
        (["[2001:db8::7]:5123"], ("2001:db8::7", 5123)),
        (["[2001:db8::7]"], ("2001:db8::7", 0)),
        (["::ffff:198.51.100.7"], ("198.51.100.7", 0)),
        # The last that is none of the proxies; what is before it, a client may have sent.
        (["192.0.2.1, 198.51.100.7"], ("198.51.100.7", 0)),
        (["192.0.2.1,198.51.100.7,10.1.1.1, 192.168.1.1"], ("198.51.100.7", 0)),
        (["192.0.2.1, 198.51.100.7", "10.1.1.1"], ("198.51.100.7", 0)),
        (["198.51.100.7, fd00::1"], ("198.51.100.7", 0)),
        (["10.9.9.9, 10.1.1.1"], ("10.9.9.9", 0)),
        # From what cannot be read on, nothing is believed.
        (["198.51.100.7, unknown"], ("10.0.0.1", 4000)),
        (["198.51.100.7, unknown, 10.1.1.1"], ("10.1.1.1", 0)),
        (["198.51.100.7,"], ("10.0.0.1", 4000)),
        (["198.51.100.7 10.1.1.1"], ("10.0.0.1", 4000)),
        (["198.51.100.300"], ("10.0.0.1", 4000)),
        (["fe80::1%eth0"], ("fe80::1", 0)),
        (["198.51.100.7:99999999"], ("10.0.0.1", 4000)),
    ],
)
def test_x_forwarded_for(values: list[str], expected: tuple[str, int]) -> None:
    assert client(*values) == expected
    assert client(*values, header="x-real-IP") == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["for=198.51.100.7"], ("198.51.100.7", 0)),
        (["For=198.51.100.7;proto=https;by=10.0.0.1"], ("198.51.100.7", 0)),
        (['proto=https; for="198.51.100.7:5123"'], ("198.51.100.7", 5123)),
        (['for="[2001:db8::7]:5123"'], ("2001:db8::7", 5123)),
        (["for=192.0.2.1, for=198.51.100.7", "for=10.1.1.1"], ("198.51.100.7", 0)),
        (["for=198.51.100.7, for=_hidden"], ("10.0.0.1", 4000)),
        (["for=198.51.100.7, for=unknown"], ("10.0.0.1", 4000)),
        (["for=198.51.100.7, proto=https"], ("10.0.0.1", 4000)),
        # A quote that a client leaves open swallows nothing.
        (['for=", for=198.51.100.7'], ("198.51.100.7", 0)),
        (['for="192.0.2.1, for="[2001:db8::7]"'], ("2001:db8::7", 0)),
        (['for="192.0.2.1;x=", for=198.51.100.7;y="'], ("10.0.0.1", 4000)),
        (["198.51.100.7"], ("10.0.0.1", 4000)),
        (["for=198.51.100.7;for=192.0.2.1"], ("198.51.100.7", 0)),
    ],
)
def test_forwarded(values: list[str], expected: tuple[str, int]) -> None:
    assert client(*values, header="Forwarded") == expected


@pytest.mark.parametrize(
    "peer",
    [
        ClientAddress("198.51.100.7", 1),
        ClientAddress("192.168.1.2", 1),
        ClientAddress("::1", 1),
        ClientAddress(),
    ],
)
def test_from_anybody_else_the_header_is_one_as_others(peer: ClientAddress) -> None:
    headers = Headers([("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")])
    for header in ("X-Forwarded-For", "Forwarded"):
        assert proxies(header).client(peer, headers) is peer


def test_only_the_header_that_is_configured_is_believed() -> None:
    headers = Headers([("forwarded", "for=192.0.2.1"), ("x-real-ip", "192.0.2.2")])
    assert proxies().client(PEER, headers).ip == "10.0.0.1"


@pytest.mark.parametrize("ip", ["10.0.0.1", "::ffff:10.0.0.1", "fd00::5", "fd00::5%eth0"])
def test_what_a_proxy_says_is_known_to_be_its_own(ip: str) -> None:
    found = proxies().client(
        ClientAddress(ip, 1, "CN=proxy"), Headers([("x-forwarded-for", "192.0.2.1")])
    )
    assert found == ClientAddress("192.0.2.1", 0, "CN=proxy", ip)
    assert PEER.proxy == ""


@given(st.text(alphabet='0123456789abf.:,;"[]%= fortunkw\\', max_size=80))
def test_whatever_is_sent_an_address_is_found(text: str) -> None:
    for header in ("X-Forwarded-For", "Forwarded"):
        assert client(text, header=header)[0]


@pytest.mark.parametrize("text", ["," * 16_000, "10.1.1.1," * 1700, '"' * 16_000, "for=" * 4000])
def test_a_long_header_is_read_quickly(text: str) -> None:
    for header in ("X-Forwarded-For", "Forwarded"):
        begin_s = time.process_time()
        client(text, header=header)
        assert time.process_time() - begin_s < 0.5


def test_none_costs_nothing() -> None:
    assert Proxies.of((), "X-Forwarded-For") is None


@pytest.mark.parametrize("text", ["", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "10.0.0"])
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="Expected an address or a network"):
        Proxies.of([text], "X-Forwarded-For")


@pytest.mark.parametrize("header", ["", "a b", "a:", "\u00e4"])
def test_what_is_no_name_of_a_header_is_an_error(header: str) -> None:
    with pytest.raises(ValueError, match="Expected the name of a header"):
        Proxies.of(["10.0.0.1"], header)


def test_handlers_and_observers_see_the_client() -> None:
    seen: list[ClientAddress] = []

    async def handler(request: Request) -> Response:
        seen.append(request.client)
        return Response(b"done")

    class Told(Observer):
        def answered(self, answer: Answered) -> None:
            seen.append(answer.client)

    head = Head("POST", "/x", headers=Headers([("x-forwarded-for", "192.0.2.1")]))
    for observers in (None, Observers([(Told(), "tfaas_told")])):
        route = sealed(Route("/x", ("POST",), handler), observers=observers, proxies=proxies())
        asyncio.run(_asked(route.passage, Arriving(head, PEER)))
    assert {address.ip for address in seen} == {"192.0.2.1"}
    assert len(seen) == 3


async def _asked(passage: object, request: Arriving) -> None:
    await passage(request)  # type: ignore[operator]
