"""Whether a server would have an accelerator run a model, found out without one."""

from __future__ import annotations

from tfaas_core.engine.base import Candidate, Loaded
from tfaas_core.engine.in_parent.accelerating.conversions import Conversions
from tfaas_core.engine.shared.acceleration import AccelerationOrder, packed_examples
from tfaas_core.engine.shared.mode import USUAL, Mode, with_threads
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.predict.example_runs import inputs_of_examples
from tfaas_core.runtime import Accelerator, LoadOptions
from tfaas_core.tools.lone_engine import LoneEngine


async def second_engine(
    lone: LoneEngine, candidate: Candidate, loaded: Loaded, record: ModelVersion
) -> dict[str, str]:
    """What would run it, and why, as ``Engine.acceleration``; empty if nobody wants to know.

    Nothing of it is kept.
    """
    config = lone.context.config
    accelerator = lone.context.runtimes[candidate.runtime].accelerator()
    mode = lone.pool.mode(loaded.ticket) or Mode()
    wanted = Params.of(candidate.params).mode or config.engine.mode
    found = {} if wanted == USUAL else {"mode": mode.name, "mode_reason": mode.reason}
    if config.engine.accelerate == "auto" and accelerator is not None:
        found |= await _accelerated(lone, accelerator, candidate, loaded, record, mode)
    return found


async def _accelerated(
    lone: LoneEngine,
    accelerator: Accelerator,
    candidate: Candidate,
    loaded: Loaded,
    record: ModelVersion,
    mode: Mode,
) -> dict[str, str]:
    config = lone.context.config
    options = with_threads(LoadOptions.of(config.engine, config.models), candidate, mode)
    most = config.engine.max_model_memory_bytes, config.engine.max_memory_bytes
    conversions = Conversions(lone.fork_servers, lone.context.runtimes, *most)
    examples = inputs_of_examples(lone.codecs, record, config.engine.max_queue_rows)
    order = AccelerationOrder.of(candidate, options, loaded, packed_examples(examples))
    try:
        found = (await conversions.tried(accelerator, order, mode.name)).found
    except (TfaasError, OSError) as error:
        return {"name": accelerator.first, "reason": f"{accelerator.name} cannot be tried: {error}"}
    return {"name": found.runs, "reason": found.reason}
