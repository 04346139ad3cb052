"""Numbers as people read them, in few characters; what is not known is a dash."""

from __future__ import annotations

from collections.abc import Sequence

NOTHING = "-"

_BARS = " ▁▂▃▄▅▆▇█"
_SHOWN = 60


def count(number: float | None) -> str:
    """``12,345``, or ``1.5`` if it is small and no integer."""
    if number is None:
        return NOTHING
    return f"{number:,.0f}" if number == int(number) or abs(number) >= 100 else f"{number:.1f}"


def seconds(duration_s: float | None) -> str:
    """``240 us``, ``1.5 ms``, ``2.0 s``."""
    if duration_s is None:
        return NOTHING
    if duration_s < 1e-3:
        return f"{duration_s * 1e6:.0f} us"
    if duration_s < 1:
        return f"{duration_s * 1e3:.{1 if duration_s < 0.1 else 0}f} ms"
    return f"{duration_s:.1f} s"


def span(duration_s: float | None) -> str:
    """``12 s``, ``5 min``, ``3 h``, ``4 d``."""
    if duration_s is None:
        return NOTHING
    for unit, long_s, until in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if duration_s / long_s < until:
            return f"{duration_s / long_s:.0f} {unit}"
    return f"{duration_s / 86_400:.0f} d"


def size(number: float | None) -> str:
    """``12.3 MB``."""
    if number is None:
        return NOTHING
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def sparkline(values: Sequence[float | None]) -> str:
    """The last minutes as bars, each a share of the highest; a blank where nothing is known."""
    shown = list(values)[-_SHOWN:]
    most = max((value for value in shown if value is not None), default=0.0)
    return "".join(_bar(value, most) for value in shown)


def _bar(value: float | None, most: float) -> str:
    if value is None or most <= 0:
        return _BARS[0]
    return _BARS[max(1, round(value / most * (len(_BARS) - 1)))]
