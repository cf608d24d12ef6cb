"""The report of a cross-check: an object, its text, its plot, and programs that reproduce it.

=========  =========================================================================================
`report`   `Report`: the results, gathered input by input
`summary`  its numbers, summed over all inputs
`text`     the report as text
`plot`     digits kept against digits that conditioning allows
`snippet`  a program that reproduces a finding; its imports and definitions come from
           `snippet_imports`
=========  =========================================================================================
"""
