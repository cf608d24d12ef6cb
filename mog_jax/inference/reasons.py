"""Why a number is not there: the words that go with a NaN."""

import enum


class Reason(enum.IntEnum):
    """Why a fit has no standard errors; ``message`` says it in a sentence."""

    KNOWN = 0
    NOTHING_FITTED = 1
    NOT_AT_MAXIMUM = 2
    BOUNDARY = 3
    SINGULAR = 4

    @property
    def message(self) -> str:
        """The reason in a sentence."""
        return _MESSAGES[self]


_MESSAGES = {
    Reason.KNOWN: "nothing is missing",
    Reason.NOTHING_FITTED: "there is no fit: too few points, constant or infinite data",
    Reason.NOT_AT_MAXIMUM: "the ascent stopped before a maximum; the curvature there says nothing",
    Reason.BOUNDARY: "the fit lies on a boundary, where the likelihood is not a parabola",
    Reason.SINGULAR: "the information is singular: the data cannot tell the parameters apart",
}
