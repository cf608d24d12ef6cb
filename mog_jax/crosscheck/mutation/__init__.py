"""Mutation testing: plants standard bugs, and counts those that a set of inputs shows.

===========  =======================================================================================
`operators`  derivatives with a standard bug, made from a right one
`score`      which of these bugs the inputs of a check show
===========  =======================================================================================
"""
