"""Finds the derivative rules of a user's module, guesses inputs for them, and checks them.

Each imports only from those above it.

==============  ================================================================================
`errors`        `TargetError`: a target cannot be checked, and why
`targets`       imports ``package.module:function`` and ``package.module``
`rules`         the custom derivative rules of a module, also beneath wrappers
`signatures`    possible values of each parameter of a function
`guesses`       inputs for a function, from its signature
`checks`        every target judged by `crosscheck_rule`, one after the other
==============  ================================================================================
"""
