"""The result of a fit: `Fit` with its columns, methods, remarks and exports.

==============  ====================================================================================
`describe`      ends of climbs -> `Fit`, in the data's units and order; which status holds
`fit`           `Fit` and `Status`
`methods`       its methods, each one function of `mog_jax.inference`: `uncertainty` has errors
                and thresholds, `criteria` AIC and BIC, `distribution` densities and posteriors;
                `fitted_data` reads the data that they ask for
`map_points`    functions of fits and points, in blocks of fits; `map_intervals`: and intervals
`named`         fits and data by the names of their datasets
`remarks`       what a reader should know of a fit, as sentences
`unresolved`    the covariance where a component may be below the resolution
`columns`       `COLUMNS` of the answer: name, type, meaning, where each is shown
`exports`       frames, Arrow tables, files, a table in a notebook
`arrow_file`    a batch in an Arrow file, and back
==============  ====================================================================================
"""
