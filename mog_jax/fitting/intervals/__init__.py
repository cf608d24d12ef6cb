"""Fits mixtures to values that are intervals: rounded, binned, censored, truncated, or exact.

================  ==================================================================================
`observations`    distinct intervals of each dataset, counted, on its standard scale -> `Intervals`
`starts`          the point fitter's windows, on points that stand for the intervals
`kernel`          the compiled program: climbs and their intervals -> value, gradient, information
`climb`           Newton's method with a safeguard, all climbs side by side, in NumPy
`maximise`        search with the penalty, climb without it, components below the resolution
`describe`        back to the data's unit and order -> `Fit`
`from_starts`     climbs from given starts, for `local_maximum` and for profiles
`replicates`      draws from one Gaussian, rounded, censored and truncated as the data were
`fit_intervals`   calls all of these for a batch
================  ==================================================================================
"""
