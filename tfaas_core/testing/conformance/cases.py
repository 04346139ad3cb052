"""All cases, by protocol."""

from __future__ import annotations

from fnmatch import fnmatchcase

from tfaas_core.testing.conformance.calls.oip_cases import (
    GRPC_HEALTH_CASES,
    GRPC_INFER_CASES,
    GRPC_SERVER_CASES,
)
from tfaas_core.testing.conformance.calls.oip_error_cases import GRPC_ERROR_CASES
from tfaas_core.testing.conformance.calls.oip_more_cases import (
    GRPC_DATATYPE_CASES,
    GRPC_REPOSITORY_CASES,
    GRPC_STATISTICS_CASES,
    GRPC_STREAM_CASES,
)
from tfaas_core.testing.conformance.calls.serving_cases import (
    ERROR_CALL_CASES,
    PREDICT_CALL_CASES,
    TYPE_CALL_CASES,
)
from tfaas_core.testing.conformance.calls.serving_example_cases import (
    EXAMPLE_CALL_CASES,
    METADATA_CALL_CASES,
    STATUS_CALL_CASES,
)
from tfaas_core.testing.conformance.case import Case
from tfaas_core.testing.conformance.oip.binary_cases import BINARY_CASES
from tfaas_core.testing.conformance.oip.compression_cases import COMPRESSION_CASES
from tfaas_core.testing.conformance.oip.datatype_cases import DATATYPE_CASES
from tfaas_core.testing.conformance.oip.error_cases import ERROR_CASES
from tfaas_core.testing.conformance.oip.extension_cases import (
    CLASSIFICATION_CASES,
    CONFIGURATION_CASES,
    LOGGING_CASES,
)
from tfaas_core.testing.conformance.oip.infer_cases import INFER_CASES
from tfaas_core.testing.conformance.oip.repository_cases import REPOSITORY_CASES
from tfaas_core.testing.conformance.oip.server_cases import (
    HEALTH_CASES,
    METADATA_CASES,
    SERVER_CASES,
)
from tfaas_core.testing.conformance.oip.statistics_cases import STATISTICS_CASES
from tfaas_core.testing.conformance.tfserving.error_cases import (
    ERROR_OF_BODY_CASES,
    ERROR_OF_VALUES_CASES,
    NAME_CASES,
)
from tfaas_core.testing.conformance.tfserving.example_cases import (
    CLASSIFY_CASES,
    EXAMPLE_CASES,
    REGRESS_CASES,
)
from tfaas_core.testing.conformance.tfserving.predict_cases import (
    COLUMN_CASES,
    ROW_CASES,
    VERSION_CASES,
)
from tfaas_core.testing.conformance.tfserving.server_cases import (
    HTTP_CASES,
    METADATA_OF_MODEL_CASES,
    STATUS_CASES,
)
from tfaas_core.testing.conformance.tfserving.type_cases import TEXT_CASES, TYPE_CASES

_OVER_GRPC: dict[str, tuple[tuple[Case, ...], ...]] = {
    "oip": (
        *(
            GRPC_HEALTH_CASES,
            GRPC_SERVER_CASES,
            GRPC_INFER_CASES,
            GRPC_ERROR_CASES,
            GRPC_DATATYPE_CASES,
        ),
        *(GRPC_STREAM_CASES, GRPC_STATISTICS_CASES, GRPC_REPOSITORY_CASES),
    ),
    "tfserving": (
        *(PREDICT_CALL_CASES, TYPE_CALL_CASES, ERROR_CALL_CASES, METADATA_CALL_CASES),
        *(EXAMPLE_CALL_CASES, STATUS_CALL_CASES),
    ),
}

_OVER_HTTP: dict[str, tuple[tuple[Case, ...], ...]] = {
    "oip": (
        *(HEALTH_CASES, SERVER_CASES, METADATA_CASES, INFER_CASES, ERROR_CASES, DATATYPE_CASES),
        *(BINARY_CASES, COMPRESSION_CASES, CLASSIFICATION_CASES, STATISTICS_CASES),
        *(CONFIGURATION_CASES, LOGGING_CASES, REPOSITORY_CASES),
    ),
    "tfserving": (
        *(ROW_CASES, COLUMN_CASES, VERSION_CASES, TYPE_CASES, TEXT_CASES),
        *(CLASSIFY_CASES, REGRESS_CASES, EXAMPLE_CASES),
        *(ERROR_OF_BODY_CASES, ERROR_OF_VALUES_CASES, NAME_CASES),
        *(STATUS_CASES, METADATA_OF_MODEL_CASES, HTTP_CASES),
    ),
}


def cases(
    protocol: str, only: str = "", must_alone: bool = False, over_grpc: bool = False
) -> list[Case]:
    """Those of ``"oip"`` or ``"tfserving"``, in the order in which they are to be tried.

    ``only`` is a pattern of ids, like ``oip.infer.*``; a part of an id, without ``*``, does, too.
    """
    pattern = only if any(sign in only for sign in "*?[") else f"*{only}*"
    return [
        case
        for group in (_OVER_GRPC if over_grpc else _OVER_HTTP)[protocol]
        for case in group
        if fnmatchcase(case.id, pattern) and (case.mark == "MUST" or not must_alone)
    ]
