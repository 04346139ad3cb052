"""The signatures of a servable: each warmed up by itself, and all run in one process."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

import msgspec

from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.warming.warmup import ANY_NUMBER, Warmed, warm
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import MOST_SIGNATURES, OtherSignature
from tfaas_core.models.params import BatchParams, Params
from tfaas_core.runtime import Servable
from tfaas_core.tensors import BatchAxis

_MOST_MADE_UP_S = 1.0
"""If the first signature took longer to warm up, the others see their first request unprepared."""


_log = logging.getLogger("tfaas.engine")


class Signed(msgspec.Struct, frozen=True):
    """One signature: what runs it, and what its warm-up found out."""

    servable: Servable
    warmed: Warmed


def warm_all(
    servable: Servable,
    params: Params,
    made_up: bool,
    meter: Meter | None,
    origin: Origin,
    wanted: Mapping[str, BatchAxis] | None,
    shared_rows: Sequence[int] = (),
) -> list[Signed | None]:
    """All signatures that are ``wanted``, by their places; None: one that is not there any more.

    ``wanted``: the further ones, with their batch axes; None: all that the servable has.
    ``shared_rows``: what another process has found, see Loaded. The other arguments are those of
    ``warm``. Raises what ``warm`` does of the first one; of the others, those that cannot be run
    are left out unless they are wanted.
    """
    begin_s = time.monotonic()
    own = _with_rows(params, shared_rows, 0)
    first = Signed(servable, warm(servable, own, made_up, meter, origin))
    made_up = made_up and time.monotonic() - begin_s < _MOST_MADE_UP_S
    names = list(servable.others)[: MOST_SIGNATURES - 1] if wanted is None else list(wanted)
    found: list[Signed | None] = [first]
    for place, name in enumerate(names, 1):
        other = servable.others.get(name)
        axis = None if wanted is None else wanted[name]
        signed = None
        if other is not None:
            own = _with_rows(_params_of_other(params, axis), shared_rows, place)
            signed = _warmed(other, own, made_up, meter, origin)
        if signed is not None or wanted is not None:
            found.append(signed)
    if any(signed is not None and signed.warmed.refuses for signed in found):
        _log.info("%s: made-up values do not run; the first request is slower", origin.key)
    return found


def others_of(all_signed: Sequence[Signed | None]) -> tuple[OtherSignature, ...]:
    """The further signatures, as the record of a version has them."""
    return tuple(
        OtherSignature(signed.warmed.signature, signed.warmed.mergeable, signed.warmed.merge_reason)
        for signed in all_signed[1:]
        if signed is not None
    )


def shared_rows_of(all_signed: Sequence[Signed | None]) -> tuple[int, ...]:
    """Of each signature, at its place: see Loaded."""
    return tuple(0 if signed is None else signed.warmed.shared_rows for signed in all_signed)


def _warmed(
    other: Servable, params: Params, made_up: bool, meter: Meter | None, origin: Origin
) -> Signed | None:
    try:
        return Signed(other, warm(other, params, made_up, meter, origin))
    except TfaasError as error:
        _log.info("the signature %r is not served: %s", other.signature.name, error.message)
    except BaseException as error:  # a model may hold Python code; the first signature is served
        name = other.signature.name
        origin.broke(f"cannot run the signature {name!r}, which is not served", error)
    return None


def _params_of_other(params: Params, axis: BatchAxis | None) -> Params:
    """What params say of all signatures: of the batch axis, they speak of the chosen one alone."""
    merge = False if params.batch.merge is False else None
    return msgspec.structs.replace(params, batch=BatchParams(axis, merge))


def _with_rows(params: Params, shared_rows: Sequence[int], place: int) -> Params:
    """The params, with what was found of the signature there, unless they say it themselves."""
    if params.shared_rows or place >= len(shared_rows):
        return params
    return msgspec.structs.replace(params, shared_rows=shared_rows[place] or ANY_NUMBER)
