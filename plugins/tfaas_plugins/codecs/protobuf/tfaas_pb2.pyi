"""The messages of ``tfaas.proto``, as far as TFaaS uses them. protobuf itself has no types."""

# ruff: noqa: N802

from collections.abc import Iterable, Iterator
from typing import Generic, Self, TypeVar

T = TypeVar("T")

class Repeated(Generic[T]):
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[T]: ...
    def __getitem__(self, index: int) -> T: ...
    def MergeFrom(self, other: Repeated[T]) -> None: ...

class _Message:
    @classmethod
    def FromString(cls, body: bytes) -> Self: ...
    def SerializeToString(self) -> bytes: ...

class Row(_Message):
    key: Repeated[str]
    value: Repeated[float]
    model: str
    def __init__(
        self, *, key: Iterable[str] = ..., value: Iterable[float] = ..., model: str = ...
    ) -> None: ...

class DataFrame(_Message):
    row: Repeated[Row]
    def __init__(self, *, row: Iterable[Row] = ...) -> None: ...

class Class(_Message):
    label: str
    probability: float
    def __init__(self, *, label: str = ..., probability: float = ...) -> None: ...

class Predictions(_Message):
    prediction: Repeated[Class]
    def __init__(self, *, prediction: Iterable[Class] = ...) -> None: ...

class Detector(_Message):
    name: str
    x: Repeated[float]
    y: Repeated[float]
    z: Repeated[float]
    def __init__(
        self,
        *,
        name: str = ...,
        x: Iterable[float] = ...,
        y: Iterable[float] = ...,
        z: Iterable[float] = ...,
    ) -> None: ...

class Hits(_Message):
    det: Repeated[Detector]
    def __init__(self, *, det: Iterable[Detector] = ...) -> None: ...
