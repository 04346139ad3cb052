"""Cases: the extension for the repository. The last ones unload a model, and load it again."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Group, probe
from tfaas_core.testing.conformance.exchange import changed, get, post
from tfaas_core.testing.conformance.expect import NOT_OK, OK, UNPACKED, json_where, refuses
from tfaas_core.testing.conformance.models import AFFINE, PAIR
from tfaas_core.testing.conformance.oip.asks import DIFFERENCE, SUM, pair
from tfaas_core.testing.conformance.oip.outputs import outputs

_repository = Group("oip.repository", "model_repository")
_INDEX = "/v2/repository/index"
_STATES = ("UNKNOWN", "READY", "LOADING", "UNLOADING", "UNAVAILABLE")
_CONTROL = f"/v2/repository/models/{PAIR}"
_NOT_ALLOWED = (400, 401, 403, 405, 501, 503)
"""By these, servers say that nobody may load and unload."""

_READY = get(f"/v2/models/{PAIR}/ready")
_LOAD, _UNLOAD = post(f"{_CONTROL}/load", {}), post(f"{_CONTROL}/unload", {})


def _are_entries(document: Any) -> bool:
    return isinstance(document, list) and all(
        isinstance(e["name"], str) and e.get("state", "READY") in _STATES for e in document
    )


def _versions(document: Any, model: str) -> set[Any]:
    return {e["version"] for e in document if e["name"] == model and e["state"] == "READY"}


REPOSITORY_CASES = (
    _repository.must(
        "index",
        "The index is a list of entries, each with a name and a state.",
        post(_INDEX, {}),
        OK,
        json_where(f"a list of names and states, of {', '.join(_STATES)}", _are_entries),
    ),
    _repository.must(
        "index_without_body",
        "The index may be asked for without a body.",
        post(_INDEX, b""),
        OK,
        json_where("a list of entries", _are_entries),
    ),
    _repository.must(
        "versions",
        "Each version is an entry of the index; those that can be asked are READY.",
        changed(post(_INDEX, {}), model=AFFINE),
        OK,
        json_where("versions '1' and '2'", lambda d: _versions(d, AFFINE) >= {"1", "2"}),
    ),
    _repository.must(
        "uncompressed",
        "The index is never compressed.",
        changed(post(_INDEX, {}), {"Accept-Encoding": "gzip, deflate, br"}),
        OK,
        UNPACKED,
        json_where("a list of entries", _are_entries),
    ),
    _repository.should(
        "reason",
        "Each entry of the index has a reason, which is a string.",
        post(_INDEX, {}),
        OK,
        json_where("reasons", lambda d: all(isinstance(e["reason"], str) for e in d)),
    ),
    _repository.must(
        "ready_alone",
        "Entries that are ready can be asked for alone.",
        post(_INDEX, {"ready": True}),
        OK,
        json_where("READY alone", lambda d: {e["state"] for e in d} <= {"READY"}),
    ),
    _repository.should(
        "ready_no_boolean",
        "The key ready of a request for the index is a boolean.",
        post(_INDEX, {"ready": "yes"}),
        *refuses(),
    ),
    _repository.should(
        "index_no_json",
        "A request for the index that is no JSON is refused.",
        post(_INDEX, "{"),
        *refuses(),
    ),
    _repository.must(
        "load",
        "A model that is loaded may be loaded again; the answer is a 200 once it is ready.",
        probe(changed(_LOAD, model=PAIR), OK, skips=_NOT_ALLOWED),
        probe(_READY, OK),
        probe(pair(), outputs(SUM, DIFFERENCE)),
    ),
    _repository.must(
        "load_unknown",
        "A model that is not there cannot be loaded.",
        probe(changed(_LOAD, model=PAIR), OK, skips=_NOT_ALLOWED),
        probe(post("/v2/repository/models/conformance_unknown/load", {}), *refuses()),
    ),
    _repository.must(
        "unload",
        "A model that was unloaded is not ready, and refuses to answer, until it is loaded again.",
        probe(changed(_UNLOAD, model=PAIR), OK, skips=_NOT_ALLOWED),
        probe(_READY, NOT_OK),
        probe(pair(), NOT_OK),
        probe(_LOAD, OK),
        probe(_READY, OK),
        probe(pair(), outputs(SUM, DIFFERENCE)),
        afterwards=_LOAD,
    ),
    _repository.should(
        "unload_with_parameters",
        "Clients send the parameter unload_dependents; a model may be loaded without a body.",
        probe(
            changed(
                post(f"{_CONTROL}/unload", {"parameters": {"unload_dependents": False}}), model=PAIR
            ),
            OK,
            skips=_NOT_ALLOWED,
        ),
        probe(post(f"{_CONTROL}/load", b""), OK),
        probe(pair(), outputs(SUM, DIFFERENCE)),
        afterwards=_LOAD,
    ),
)
