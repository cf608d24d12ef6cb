"""Options for reading a source, for what the source itself does not state."""

import codecs
import dataclasses
from collections.abc import Iterable
from typing import Any

from mog_jax.tables.errors import TableError

_OF_ANNDATA = ("layer", "zeros")
_WORDS = {"tab": "\t", "\\t": "\t", "blank": " ", "space": " "}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a source is written; None where it is to be found out. Made by `read_options`.

    Parameters
    ----------
    separator : str, optional
        One character; a blank stands for any run of blanks and tabs.
    decimal : str, optional
        "." or ",".
    missing : tuple of str
        Further words (lower case) or numbers for missing values.
    comment : str, optional
        Lines that begin with it are skipped, wherever they stand.
    encoding : str, optional
        As Python calls it.
    header : bool, optional
        Whether the first line holds the names of the columns.
    layer : str, optional
        Of a file of AnnData, what to read in place of ``X``.
    zeros : str, optional
        "keep" or "drop": whether a zero there is a value.
    """

    separator: str | None = None
    decimal: str | None = None
    missing: tuple[str, ...] = ()
    comment: str | None = None
    encoding: str | None = None
    header: bool | None = None
    layer: str | None = None
    zeros: str | None = None

    def given(self) -> dict[str, Any]:
        """Return the given options as JSON values; `read_options` takes them back."""
        values = dataclasses.asdict(self)
        values["missing"] = [*self.missing]
        return {name: value for name, value in values.items() if value not in (None, [])}

    def refuse_for(self, name: str, kind: str) -> None:
        """Raise `TableError` if something was said that only files of another kind heed."""
        for option, value in self.given().items():
            heeded_by = "AnnData" if option in _OF_ANNDATA else "CSV"
            if option not in ("missing", "decimal") and kind != heeded_by:
                raise TableError(f"{name} is {kind}; `{option}` is for {heeded_by}; got {value!r}.")


def read_options(
    *,
    separator: Any = None,
    decimal: Any = None,
    missing: Any = (),
    comment: Any = None,
    encoding: Any = None,
    header: Any = None,
    layer: Any = None,
    zeros: Any = None,
) -> ReadOptions:
    """Check what was said of a source.

    Raises
    ------
    TableError
        If an option cannot be what it is.
    """
    if separator is not None:
        separator = _text("separator", separator, "one character, 'tab' or 'blank'")
        separator = _WORDS.get(separator, separator)
        if len(separator) != 1 or separator in '"\r\n':
            raise TableError(
                f"`separator` must be one character, 'tab' or 'blank'; got {separator!r}."
            )
    if decimal is not None and decimal not in (".", ","):
        raise TableError(f"`decimal` must be '.' or ','; got {decimal!r}.")
    if decimal is not None and decimal == separator:
        raise TableError(f"`decimal` and `separator` cannot both be {decimal!r}.")
    if comment is not None and not _text("comment", comment, "a text").strip():
        raise TableError(
            f"`comment` must be the beginning of comment lines, as '#'; got {comment!r}."
        )
    if header is not None and not isinstance(header, bool):
        raise TableError(f"`header` must be True or False; got {header!r}.")
    if zeros not in (None, "keep", "drop"):
        raise TableError(f"`zeros` must be 'keep' or 'drop'; got {zeros!r}.")
    return ReadOptions(
        separator=separator,
        decimal=decimal,
        missing=_words(missing),
        comment=comment,
        encoding=None if encoding is None else _encoding(encoding),
        header=header,
        layer=None if layer is None else _text("layer", layer, "the name of a layer"),
        zeros=zeros,
    )


def _text(option: str, given: Any, wanted: str) -> str:
    if not isinstance(given, str):
        raise TableError(f"`{option}` must be {wanted}; got {given!r}.")
    return given


def _words(given: Any) -> tuple[str, ...]:
    several = [given] if isinstance(given, str) or not isinstance(given, Iterable) else [*given]
    for word in several:
        if not isinstance(word, str | int | float):
            raise TableError(f"`missing` must be words or numbers; got {word!r}.")
    return tuple(dict.fromkeys(str(word).strip().lower() for word in several))


def _encoding(given: Any) -> str:
    name = _text("encoding", given, "a name such as 'latin-1'")
    try:
        # A codec that is no encoding of text ("hex") has another type of answer.
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise TableError(
            f"`encoding` must be one that Python knows, such as 'latin-1'; got {given!r}."
        ) from None
