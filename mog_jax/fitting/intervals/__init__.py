"""Maximum likelihood where values are intervals: rounded, binned, censored, truncated, or exact.

==============  ==================================================================================
`inputs`        data and what is said of them -> intervals, repeats counted
`observations`  distinct intervals of each dataset, counted, on its standard scale -> `Intervals`
`starts`        the point fitter's windows, on points that stand for the intervals
`kernel`        THE program: climbs and their intervals -> value, gradient and information
`climb`         Newton's method with a safeguard, all climbs side by side, in NumPy
`maximise`      search with the penalty, climb without it, and what is below the resolution
`describe`      back to the data's unit and order -> `Fit`
`held`          climbs from elsewhere: one maximum, or a profile
`replicates`    draws from one Gaussian, recorded as the data were
`fit_intervals` once through all of these
==============  ==================================================================================
"""
