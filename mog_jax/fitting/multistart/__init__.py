"""Multi-start maximisation of a block of datasets: starts, search, pruning, polish, choice.

==============  ====================================================================================
`block`         the datasets of a block, and the points that climbs of it see
`starts`        windows of neighbouring points -> theta `(5, starts, b)`
`coreset`       windows -> weighted points that stand for the data, `(96, starts, b)`
`packing`       active climbs -> tiles of lanes; their points -> the program's buffers
`climbs`        many climbs, a few steps further at a time
`pruning`       climbs that have met a better one, or cannot become the best, are dropped
`search`        all starts of all datasets, on coresets and then on the sample
`polish`        the best ends, on all points, in the data's precision
`groups`        further starts: groups of points at the ends, and splits
`reconsider`    a second search, with the penalty, where the answer is in doubt
`choice`        which of the maxima found is the answer: `choose="penalised"`
`maximise`      all of these, once through: states `(28, b)`
==============  ====================================================================================
"""
