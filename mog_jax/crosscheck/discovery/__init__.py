"""Finds what there is to check in somebody's module, and inputs to check it at.

Each imports only from those above it.

==============  ================================================================================
`errors`        `TargetError`: what was named cannot be checked, in one sentence
`targets`       ``package.module:function`` and ``package.module``, imported
`rules`         the custom derivative rules of a module, wherever they hide
`signatures`    what each parameter of a function may be given
`guesses`       inputs for a function, from its signature
`checks`        every target judged by `crosscheck_rule`, one after the other
==============  ================================================================================
"""
