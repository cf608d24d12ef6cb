"""Inputs of a check: validated arguments, and a direction for each input.

Each imports only from those above it.

===========  =======================================================================================
`static`     arguments that are not arrays: strings, flags, functions, typed random keys
`arguments`  drawn arguments: validated, their leaves named, rounded to both precisions
`simplex`    probabilities that sum to 1, in doubles and exactly
`draws`      `Draw`: one input of a search, with a direction for each derivative
===========  =======================================================================================
"""
