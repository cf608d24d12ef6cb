"""One climb: derivatives from the nine sums, directions, the ascent, and its compiled program.

Each imports only from those above it.

===============  ===================================================================================
`arrival`        whether a climb has converged, and whether its end lies on the variance floor
`symmetric`      small symmetric matrices, one for each lane, solved entry by entry
`derivatives`    nine sums -> gradient, observed information, EM step
`directions`     these -> the change that a step proposes: Newton, EM, gradient; `DIRECTIONS`
`ascent`         one step: propose, keep it if it climbs, stop when no gain is left; the state,
                 `(28, lanes)`
`tiles`          the compiled program: some steps of many climbs, on points of any number and length
===============  ===================================================================================
"""
