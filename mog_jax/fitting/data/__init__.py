"""Reads datasets in all accepted forms, divides them into blocks, and standardises them.

==================  ================================================================================
`inputs`            data and counts in any form -> `Datasets`
`sparse`            columns of a sparse matrix as datasets, without filling it in
`layout`            a warning where datasets were given as columns instead of rows
`fixed`             fixed parameters, by name or as a mixture, for all datasets or for each
`interval_options`  resolution, limits, upper ends and window: how values were recorded
`intervals`         values and interval options -> the distinct intervals of each dataset
`grid`              whether values lie on a grid, as rounded ones do
`buckets`           `Datasets` -> blocks of datasets of similar length, one to a thread
`standardise`       a block -> points `(b, n)`: sorted, mean 0 and variance 1, padded; a sample of
                    those that have many
==================  ================================================================================
"""
