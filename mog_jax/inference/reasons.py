"""Reasons for a NaN."""

from mog_jax.explained import Explained


class Reason(Explained):
    """Why a fit has no standard errors; ``message`` says it in a sentence."""

    KNOWN = 0, "nothing is missing"
    NOTHING_FITTED = 1, "there is no fit: too few points, constant or infinite data"
    NOT_AT_MAXIMUM = 2, "the ascent stopped before a maximum; the curvature there says nothing"
    BOUNDARY = 3, "the fit lies on a boundary, where the likelihood is not a parabola"
    SINGULAR = 4, "the information is singular: the data cannot tell the parameters apart"
    BELOW_RESOLUTION = (
        5,
        "a component is narrower than the data's resolution can tell: its own errors are NaN",
    )
