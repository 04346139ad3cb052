from __future__ import annotations

import pytest
from tfaas_plugins.routes.accept import preferred

JSON, PROTO, MSGPACK = "application/json", "application/x-protobuf", "application/msgpack"
OFFERS = (JSON, PROTO, MSGPACK)

CHOICES = {
    "*/*": JSON,
    "application/*": JSON,
    JSON: JSON,
    PROTO: PROTO,
    "APPLICATION/X-Protobuf": PROTO,
    "application/json; charset=utf-8": JSON,
    f"{MSGPACK}, {JSON}": MSGPACK,
    f"{JSON};q=0.5, {MSGPACK}": MSGPACK,
    f"{JSON};q=0.5, {MSGPACK};q=0.501": MSGPACK,
    f"{JSON} ; q=0.5 , {MSGPACK} ; q=0.4": JSON,
    f"{PROTO}, */*": PROTO,
    f"*/*, {PROTO}": JSON,
    f"*/*;q=0.1, {PROTO}": PROTO,
    f"{JSON};q=\x1f0.5 , {MSGPACK};q=0.4": JSON,
    f"{JSON};q=0, */*": PROTO,
    f"{JSON};q=0.000, application/*": PROTO,
    f"application/*;q=0, {JSON}": JSON,
    "application/*;q=0, */*": None,
    f"{JSON};Q=0": None,
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": JSON,
    "application/json, text/plain, */*": JSON,
    "text/html": None,
    "image/*": None,
    "*/*;q=0": None,
    # What cannot be read is not there.
    "": JSON,
    "nonsense": JSON,
    "*/json": JSON,
    "*": JSON,
    ",, ,": JSON,
    f"text/html;q=2, {PROTO}": PROTO,
    f"{JSON};q=x, {PROTO};q=0.1": PROTO,
    f"{JSON};q=-1, {PROTO};q=.5": JSON,
    f"nonsense, {PROTO}": PROTO,
}


@pytest.mark.parametrize(("accept", "choice"), CHOICES.items())
def test_the_client_gets_what_it_likes_best(accept: str, choice: str | None) -> None:
    assert preferred(accept, OFFERS) == choice
