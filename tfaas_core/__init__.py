"""TFaaS: TensorFlow as a Service. The core knows the nouns and their order; plugins do the work.

What the authors of plugins need is here, by name: ``from tfaas_core import Codec, hookimpl``. Each
name has its home in a module of the core, which is imported when the name is used. The page
docs/public-api.md tells which names stay as they are, and for how long.
"""

from typing import TYPE_CHECKING

from tfaas_core.public_names import Former, lookup

if TYPE_CHECKING:
    # What a type checker takes for exported, as it is written here.
    from tfaas_core.codec import Codec as Codec, Document as Document, Encoded as Encoded
    from tfaas_core.config import Config as Config
    from tfaas_core.engine.base import (
        Candidate as Candidate,
        Engine as Engine,
        EngineContext as EngineContext,
        EngineFactory as EngineFactory,
        HostStatus as HostStatus,
        Loaded as Loaded,
        ServableStatus as ServableStatus,
        Supervisor as Supervisor,
        WorkerContext as WorkerContext,
    )
    from tfaas_core.errors import (
        BadBody as BadBody,
        Busy as Busy,
        CannotServe as CannotServe,
        ConfigError as ConfigError,
        DamagedFile as DamagedFile,
        DeadlinePassed as DeadlinePassed,
        DoesNotFit as DoesNotFit,
        Forbidden as Forbidden,
        HttpRefused as HttpRefused,
        InUse as InUse,
        MethodNotAllowed as MethodNotAllowed,
        ModelLost as ModelLost,
        NotAcceptable as NotAcceptable,
        NotFound as NotFound,
        PluginError as PluginError,
        QueueFull as QueueFull,
        StartupError as StartupError,
        StorageFull as StorageFull,
        StorageUnavailable as StorageUnavailable,
        TfaasError as TfaasError,
        TooLarge as TooLarge,
        TooManyRequests as TooManyRequests,
        Unauthorized as Unauthorized,
        Unavailable as Unavailable,
        UnknownModel as UnknownModel,
        UnknownVersion as UnknownVersion,
        UnsupportedMediaType as UnsupportedMediaType,
    )
    from tfaas_core.events import (
        ModelCrashed as ModelCrashed,
        ModelEvent as ModelEvent,
        ModelLoaded as ModelLoaded,
        ModelSwitched as ModelSwitched,
        ModelUnloaded as ModelUnloaded,
        ModelUploaded as ModelUploaded,
        Tell as Tell,
    )
    from tfaas_core.fields import Fields as Fields, Headers as Headers
    from tfaas_core.guard import (
        Asking as Asking,
        Guard as Guard,
        UnknownCredential as UnknownCredential,
    )
    from tfaas_core.hookspecs import hookimpl as hookimpl
    from tfaas_core.host import Host as Host
    from tfaas_core.listener import Listener as Listener, Serve as Serve
    from tfaas_core.models.model import (
        ModelVersion as ModelVersion,
        OtherSignature as OtherSignature,
    )
    from tfaas_core.models.params import BatchParams as BatchParams, Params as Params
    from tfaas_core.models.versions import Model as Model, Pointers as Pointers
    from tfaas_core.observer import Answered as Answered, Observer as Observer, Outcome as Outcome
    from tfaas_core.operation import Operation as Operation
    from tfaas_core.predict.inference import (
        InferenceRequest as InferenceRequest,
        InferenceResult as InferenceResult,
    )
    from tfaas_core.predict.target import Target as Target
    from tfaas_core.predict_routes import target_of as target_of
    from tfaas_core.route import (
        ClientAddress as ClientAddress,
        Handler as Handler,
        Head as Head,
        Request as Request,
        Response as Response,
        Right as Right,
        Route as Route,
        admit as admit,
        json_response as json_response,
        request_id_of as request_id_of,
        visible_models as visible_models,
    )
    from tfaas_core.runtime import (
        Accelerator as Accelerator,
        CannotAccelerate as CannotAccelerate,
        FastModel as FastModel,
        Independence as Independence,
        LoadOptions as LoadOptions,
        Runtime as Runtime,
        Servable as Servable,
        Shapes as Shapes,
        Verdict as Verdict,
    )
    from tfaas_core.secret import Secret as Secret, SecretPlace as SecretPlace
    from tfaas_core.shared_memory import LockHeld as LockHeld
    from tfaas_core.service import (
        Call as Call,
        ErrorInStream as ErrorInStream,
        Method as Method,
        MethodHandler as MethodHandler,
        Service as Service,
    )
    from tfaas_core.shared_memory import SharedMemory as SharedMemory
    from tfaas_core.static_files import StaticFiles as StaticFiles
    from tfaas_core.status import (
        Fitness as Fitness,
        ProcessStatus as ProcessStatus,
        ServerStatus as ServerStatus,
    )
    from tfaas_core.storage import (
        Claim as Claim,
        DefaultChoice as DefaultChoice,
        Migrations as Migrations,
        Storage as Storage,
        StorageFactory as StorageFactory,
    )
    from tfaas_core.tensors import (
        NUMPY_DTYPES as NUMPY_DTYPES,
        Array as Array,
        Arrays as Arrays,
        BatchAxis as BatchAxis,
        Bound as Bound,
        Signature as Signature,
        TensorSpec as TensorSpec,
    )
    from tfaas_core.visit import Timing as Timing, Visit as Visit

__version__ = "0.1.0"

_HOMES = {
    "codec": "Codec Document Encoded",
    "config": "Config",
    "engine.base": (
        "Candidate Engine EngineContext EngineFactory HostStatus Loaded ServableStatus "
        "Supervisor WorkerContext"
    ),
    "errors": (
        "BadBody Busy CannotServe ConfigError DamagedFile DeadlinePassed DoesNotFit Forbidden "
        "HttpRefused InUse MethodNotAllowed ModelLost NotAcceptable NotFound PluginError QueueFull "
        "StartupError StorageFull StorageUnavailable TfaasError TooLarge TooManyRequests "
        "Unauthorized Unavailable UnknownModel UnknownVersion UnsupportedMediaType"
    ),
    "events": (
        "ModelCrashed ModelEvent ModelLoaded ModelSwitched ModelUnloaded ModelUploaded Tell"
    ),
    "fields": "Fields Headers",
    "guard": "Asking Guard UnknownCredential",
    "hookspecs": "hookimpl",
    "host": "Host",
    "listener": "Listener Serve",
    "models.model": "ModelVersion OtherSignature",
    "models.params": "BatchParams Params",
    "models.versions": "Model Pointers",
    "observer": "Answered Observer Outcome",
    "operation": "Operation",
    "predict.inference": "InferenceRequest InferenceResult",
    "predict.target": "Target",
    "predict_routes": "target_of",
    "route": (
        "ClientAddress Handler Head Request Response Right Route admit json_response request_id_of "
        "visible_models"
    ),
    "runtime": (
        "Accelerator CannotAccelerate FastModel Independence LoadOptions Runtime Servable Shapes "
        "Verdict"
    ),
    "secret": "Secret SecretPlace",
    "service": "Call ErrorInStream Method MethodHandler Service",
    "shared_memory": "LockHeld SharedMemory",
    "static_files": "StaticFiles",
    "status": "Fitness ProcessStatus ServerStatus",
    "storage": "Claim DefaultChoice Migrations Storage StorageFactory",
    "tensors": "NUMPY_DTYPES Array Arrays BatchAxis Bound Signature TensorSpec",
    "visit": "Timing Visit",
}
"""The public names, by the module of the core that is their home."""

_FORMER: dict[str, Former] = {}
"""Public names that go away; see docs/public-api.md."""

_homes = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_homes)

if not TYPE_CHECKING:
    __getattr__ = lookup(__name__, _homes, _FORMER)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
