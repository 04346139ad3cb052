"""A case for each op that has a rule: it builds the op with what is drawn at random."""

from tests.backends.runtimes.independence.cases import axes, elementwise, flow, networks, shapes
from tests.backends.runtimes.independence.draw import Case

CASES: dict[str, Case] = {
    **elementwise.CASES,
    **axes.CASES,
    **shapes.CASES,
    **networks.CASES,
    **flow.CASES,
}
