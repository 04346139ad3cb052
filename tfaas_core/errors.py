"""Every error that TFaaS raises on purpose, in one tree.

::

    TfaasError                    500  internal
    ├── BadBody                   400  bad_body          the bytes are not what they claim to be
    ├── HttpRefused               400  http_refused      HTTP's own refusals, often of another 4xx
    ├── Unauthorized              401  unauthorized      a guard does not know who asks
    ├── Forbidden                 403  forbidden         a guard knows, and refuses
    ├── NotFound                  404  not_found         no such path
    │   └── UnknownModel          404  unknown_model
    │       └── UnknownVersion    404  unknown_version   nor of this label
    ├── MethodNotAllowed          405  method_not_allowed
    ├── NotAcceptable             406  not_acceptable    no format that the client accepts
    ├── Busy                      409  busy              the name is being changed right now
    ├── InUse                     409  in_use            the version is live, or a label names it
    ├── TooLarge                  413  too_large         over a configured limit
    ├── UnsupportedMediaType      415  unsupported_media_type
    ├── DoesNotFit                422  does_not_fit      readable, but it does not fit
    │   └── CannotServe           422  cannot_serve      the uploaded model cannot be served
    ├── TooManyRequests           429  too_many_requests  try again after ``retry_after_s``
    ├── Unavailable               503  unavailable       try again after ``retry_after_s``
    │   ├── QueueFull             503  queue_full
    │   ├── ModelLost             503  model_lost        its process died under the request
    │   └── StorageUnavailable    503  storage_unavailable
    │       └── DamagedFile       503  damaged_file      a stored file is not what was stored
    ├── DeadlinePassed            504  deadline_passed
    ├── StorageFull               507  storage_full      no room on the disk
    └── StartupError              (never answered over HTTP: printed, exit 1)
        ├── ConfigError
        └── PluginError

The message is one sentence that says what is wrong and where. ``details`` become further keys of
the JSON error, but ``retry_after_s``, ``challenge`` and ``identity`` attributes, if the class has
them. A 500 is a bug: it is logged once, with the plugin that it comes from. A plugin may derive
classes with another ``status``, 400 to 599, another ``code``, other ``headers`` and ``document``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from tfaas_core.withheld import Withheld

_withheld = Withheld()


class TfaasError(Exception):
    """The root. ``status`` is the HTTP status, ``code`` a name that never changes."""

    status: int = 500
    code: ClassVar[str] = "internal"
    message: str
    details: dict[str, Any]
    is_logged: bool = False
    """Whether a log has it already, of those of status 500."""
    for_clients: str = ""
    """What clients are told if the message is the operator's alone; the log has that, then."""

    def __new__(cls, *arguments: Any, **_details: Any) -> Self:
        # A plugin's class may have an ``__init__`` of its own, which does not call this one's.
        error = super().__new__(cls, *arguments)
        error.message, error.details = str(arguments[0]) if arguments else cls.__name__, {}
        return error

    def __init__(self, message: str, for_clients: str = "", **details: Any) -> None:
        super().__init__(message)
        for name in details.keys() & {"retry_after_s", "challenge", "identity"}:
            if hasattr(self, name):
                setattr(self, name, details.pop(name))
        self.message, self.for_clients, self.details = message, for_clients, details

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not is_error_status(cls.status):
            raise TypeError(f"{cls.__name__}.status is {cls.status!r}, not one of 400 to 599")
        if not isinstance(cls.code, str) or re.fullmatch("[a-z][a-z0-9_]*", cls.code) is None:
            raise TypeError(f"{cls.__name__}.code is {cls.code!r}, not a name of a-z, 0-9 and _")

    def document(self) -> dict[str, Any]:
        """The JSON object that a client gets."""
        return {"error": self.told(), "status": self.status, "code": self.code, **self.details}

    def told(self) -> str:
        """What clients are told; the log gets the message, if that is another."""
        if self.for_clients and self.for_clients != self.message:
            _withheld.log(self.message)
        return self.for_clients or self.message

    def headers(self) -> dict[str, str]:
        """The headers that the answer has on its account."""
        return {}


SEE_LOG = " (the server's log shows where)"
"""How the message of an error ends whose place was logged."""


def is_error_status(status: object) -> bool:
    """Whether ``status`` is the HTTP status of an error."""
    return type(status) is int and 400 <= status <= 599


class BadBody(TfaasError):
    """The body cannot be read as what it claims to be: broken JSON, protobuf, image, form."""

    status = 400
    code = "bad_body"


class HttpRefused(TfaasError):
    """HTTP itself refuses: a slow client (408), a head that is too long (431), and others."""

    status = 400
    code = "http_refused"

    def __init__(self, message: str, status: int = 400, **details: Any) -> None:
        super().__init__(message, **details)
        self.status = status


class Unauthorized(TfaasError):
    """A guard does not know who asks. ``challenge`` says how to prove it, as HTTP has it."""

    status = 401
    code = "unauthorized"
    challenge = "Bearer"

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": self.challenge}


class Forbidden(TfaasError):
    """A guard knows who asks, or need not know, and refuses. Observers are told ``identity``."""

    status = 403
    code = "forbidden"
    identity: str = ""


class NotFound(TfaasError):
    """Nothing is served under this path."""

    status = 404
    code = "not_found"


class UnknownModel(NotFound):
    """No model of this name is stored."""

    code = "unknown_model"


class UnknownVersion(UnknownModel):
    """The model is stored, but has no such version or label."""

    code = "unknown_version"


class MethodNotAllowed(TfaasError):
    """The path exists, but not for this method."""

    status = 405
    code = "method_not_allowed"
    allowed: tuple[str, ...] = ()

    def __init__(self, message: str, allowed: Sequence[str] = (), **details: Any) -> None:
        super().__init__(message, **details)
        self.allowed = tuple(allowed)

    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allowed)}


class NotAcceptable(TfaasError):
    """The answer cannot be had in any format that the client accepts."""

    status = 406
    code = "not_acceptable"


class Busy(TfaasError):
    """Another request is uploading or deleting this name right now."""

    status = 409
    code = "busy"


class InUse(TfaasError):
    """The version cannot be removed: it is live, or a label names it."""

    status = 409
    code = "in_use"


class TooLarge(TfaasError):
    """Larger than a limit, which the message names: by its key, if it is configured."""

    status = 413
    code = "too_large"


class UnsupportedMediaType(TfaasError):
    """No registered codec reads this media type."""

    status = 415
    code = "unsupported_media_type"


class DoesNotFit(TfaasError):
    """Readable, but it does not fit the model: wrong length, dtype, key, or NaN if refused."""

    status = 422
    code = "does_not_fit"


class CannotServe(DoesNotFit):
    """The uploaded artifact cannot be served; nothing of it was stored."""

    code = "cannot_serve"


class TooManyRequests(TfaasError):
    """Of one client, or for one model; the same request may succeed after ``retry_after_s``."""

    status = 429
    code = "too_many_requests"
    retry_after_s: int = 1

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class Unavailable(TfaasError):
    """Not now; the same request may succeed after ``retry_after_s`` seconds."""

    status = 503
    code = "unavailable"
    retry_after_s: ClassVar[int] = 1

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class QueueFull(Unavailable):
    """As many rows as ``engine.max_queue_rows`` allows are already waiting for the model."""

    code = "queue_full"


class ModelLost(Unavailable):
    """The process that held the request died; it is being replaced."""

    code = "model_lost"


class StorageUnavailable(Unavailable):
    """The storage cannot be read or written at the moment."""

    code = "storage_unavailable"


class DamagedFile(StorageUnavailable):
    """A stored file does not have the checksum that it was stored with; nothing is loaded of it."""

    code = "damaged_file"


class DeadlinePassed(TfaasError):
    """The prediction took longer than ``server.request_timeout_s``."""

    status = 504
    code = "deadline_passed"


class StorageFull(TfaasError):
    """The disk or quota is full; nothing of the upload was kept."""

    status = 507
    code = "storage_full"


class StartupError(TfaasError):
    """The server cannot start; the command prints the message and exits with 1."""

    code = "startup"


class ConfigError(StartupError):
    """The configuration is wrong; the message points at the key."""

    code = "config"


class PluginError(StartupError):
    """A plugin is broken, or two plugins claim the same thing; the message names them."""

    code = "plugin"
