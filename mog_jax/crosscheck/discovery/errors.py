"""What was named cannot be checked."""


class TargetError(ValueError):
    """A name, a strategy or a signature that nothing can be checked with; the message says why."""
