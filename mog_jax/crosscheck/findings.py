"""What a cross-check found, and the words for it."""

import dataclasses
import math
from typing import Any

# What fails a check, gravest first: where several are found, this is the order of the report.
FAILURES = {
    "wrong_shape_or_dtype": "the output has another shape or dtype than it should",
    "raised": "the code raised an exception",
    "wrong_formula": "the formula is disproved: exact evaluation gives another value",
    "wrong_second_order": "differentiating the derivative gives another value than the Hessian",
    "forward_reverse_differ": "one mode of differentiation is right and the other is wrong",
    "not_finite": "NaN or infinity where the exact value is an ordinary number",
    "unstable": "the formula is right; its program loses digits that the problem does not lose",
    "differs_under_jit": "compiled and eager programs give different values",
    "differs_under_vmap": "batched and single programs give different values",
    "not_judged": "no input could be judged, so that nothing was checked",
}
# What is worth knowing, but fails nothing.
REMARKS = {
    "rounded_constant": "differs by no more than the rounding of a constant explains",
    "uninformative": "no input could have shown an error in this entry",
    "no_rule": "there is no custom derivative rule in the function to check",
    "undefined_order": "this mode of differentiation is not defined for the code",
    "second_order_unstable": "differentiating the derivative loses digits, "
    "which differentiating the function twice does not",
    "second_order_not_finite": "the derivative's own derivative is NaN or infinite in its program, "
    "and so is the function's second derivative",
}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Finding:
    """One thing that a cross-check found.

    Attributes
    ----------
    kind : one of the kinds of failure, or of the remarks
    claim : what was judged: ``"derivative"``, or a second order or rule's mode
    entry : the argument and component, such as ``"mixture.means[1]"``
    lane : how the program was run: ``"jit"``, ``"eager"``, ``"float32"``, a ``"vmap"``, ``"exact"``
    explanation : one sentence
    exact, got : what it should be and what it was, where there are such numbers
    digits_kept, digits_allowed : decimal digits, kept and allowed by conditioning
    roundings : the error, in units of what one rounding of everything may cause
    args : the simplest input that was found to show it
    reproduce : a snippet that shows it again when it is pasted
    """

    kind: str
    claim: str
    entry: str
    lane: str
    explanation: str
    exact: str | None = None
    got: str | None = None
    digits_kept: float | None = None
    digits_allowed: float | None = None
    roundings: float | None = None
    args: tuple[Any, ...] | None = None
    reproduce: str = ""

    @property
    def fails(self) -> bool:
        """Whether this fails the check, rather than being a remark."""
        return self.kind in FAILURES

    def to_dict(self) -> dict[str, Any]:
        """Give the finding as what JSON can hold."""
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "args"
        }
        return {"fails": self.fails, **fields}

    def __str__(self) -> str:
        how = "; ".join(filter(None, [self.claim, self.lane]))
        place = " ".join(filter(None, [self.entry, how and f"({how})"]))
        lines = [f"{self.kind}: {place}".rstrip(": "), f"  {self.explanation}"]
        if self.exact is not None:
            wanted = "wanted" if self.kind == "wrong_shape_or_dtype" else "exact "
            lines.append(f"  {wanted} {self.exact}")
        if self.got is not None:
            lines.append(f"  got    {self.got}")
        if self.digits_kept is not None and not math.isnan(self.digits_kept):
            allowed = self.digits_allowed
            most = "" if allowed is None else f", of {allowed:.1f} that conditioning allows"
            lines.append(f"  {self.digits_kept:.1f} digits kept{most}")
        return "\n".join(lines)


def error_line(error: Exception) -> str:
    """Describe an exception in a line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
