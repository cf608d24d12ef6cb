"""The exception for a target that cannot be checked."""


class TargetError(ValueError):
    """A name, a strategy or a signature cannot be used for a check; the message says why."""
