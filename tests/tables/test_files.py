"""Files as other programs write them: the same numbers are read, or one line says why not."""

import csv
import io
import math

import hypothesis.strategies as st
import pandas
import polars
from hypothesis import HealthCheck, assume, given, settings

from mog_jax.tables import TableError
from mog_jax.tables.cells import is_missing, is_number
from tests.tables.files import read

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252")
QUICK = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
hostile = st.sampled_from(
    ['"', "''", "a,b", "a;b", "[x]", "{", "?*", "\n", "\r\n", "SELECT", "c0", "#", "<b>", "é", "%s"]
)
words = st.text(letters, max_size=5) | hostile
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5) | st.none()


@st.composite
def tables(draw):
    """Draw the header and the rows of a table: texts, then numbers."""
    n_numbers = draw(st.integers(1, 3))
    names = draw(st.lists(words, min_size=n_numbers + 1, max_size=n_numbers + 1))
    # A line that might be values is another matter: see test_dialect.
    assume(any(not is_number(name) and not is_missing(name) for name in names))
    rows = draw(
        st.lists(
            st.tuples(words, *[numbers] * n_numbers).map(list),
            min_size=1,
            max_size=5,
        )
    )
    return names, rows


def has_line_ends(names, rows):
    """Whether a cell holds a character that Python's csv module does not always quote."""
    return any(end in cell for cell in [*names, *(row[0] for row in rows)] for end in "\r\n")


def by_python(names, rows, separator, end, draw):
    kinds = [csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]
    kinds += [] if has_line_ends(names, rows) else [csv.QUOTE_MINIMAL]
    quoting = draw(st.sampled_from(kinds))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writerows([names, *rows])
    return text.getvalue()


def by_pandas(names, rows, separator, end, draw):
    text = io.StringIO(newline="")
    frame = pandas.DataFrame(rows).astype(dict.fromkeys(range(1, len(names)), "Float64"))
    frame.columns = names
    quoting = csv.QUOTE_NONNUMERIC if has_line_ends(names, rows) else csv.QUOTE_MINIMAL
    frame.to_csv(text, sep=separator, lineterminator=end, index=False, quoting=quoting)
    return text.getvalue()


def by_polars(names, rows, separator, end, draw):
    # Polars allows no two columns of one name.
    unique = list(dict.fromkeys(names)) if len(set(names)) == len(names) else None
    assume(unique is not None)
    kinds = [polars.String, *[polars.Float64] * (len(names) - 1)]
    frame = polars.DataFrame(rows, schema=list(zip(names, kinds, strict=True)), orient="row")
    kinds = ["always", "non_numeric", *([] if has_line_ends(names, rows) else ["necessary"])]
    quoting = draw(st.sampled_from(kinds))
    return frame.write_csv(separator=separator, line_terminator=end, quote_style=quoting)


def same(found, names, rows):
    wanted = [*zip(*rows, strict=True)]
    assert len(found) == len(names)
    for index, (column, (called, values)) in enumerate(zip(wanted, found.items(), strict=True)):
        own = names[index].strip()
        assert called.startswith(own or f"column{index}")
        if index == 0:
            assert [*map(str, values)] == [*column]
        else:
            assert [None if math.isnan(x) else x for x in values] == [*column]


@QUICK
@given(
    table=tables(),
    write=st.sampled_from([by_python, by_pandas, by_polars]),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(ENCODINGS),
    is_told=st.booleans(),
    data=st.data(),
)
def test_what_was_written_comes_back(
    tmp_path, table, write, separator, end, encoding, is_told, data
):
    names, rows = table
    text = write(names, rows, separator, end, data.draw)
    path = tmp_path / "data[1]*?.csv"
    try:
        path.write_bytes(text.encode(encoding))
    except UnicodeEncodeError:
        assume(False)
    # Without a byte order mark these cannot be recognised.
    is_foreign = encoding in ("latin-1", "cp1252", "utf-16-le")
    options = {"encoding": encoding} if is_foreign else {}
    # What begins with # above the header is a comment, unless another mark is told.
    assume(is_told or not names[0].lstrip().startswith("#"))
    if is_told:
        options |= {"separator": separator, "header": True, "comment": "no such comment"}
    found = read_or_refuse(path, is_told, **options)
    if found is not None:
        same(found, names, rows)


def read_or_refuse(path, must_be_read, **options):
    """Return the columns, or None if a `TableError` says why not."""
    try:
        columns = [*read(path, **options)]
        return read(path, *columns[1:], **options)
    except TableError as error:
        is_void = "no usable value" in str(error)
        if "\n" in str(error) or (must_be_read and not is_void):
            raise AssertionError(str(error)) from error
        return None
