"""The dialect of a text file: what its first lines decide, and what is refused as ambiguous."""

import io

import pytest

from mog_jax.tables import TableError
from mog_jax.tables.dialect import find_dialect
from mog_jax.tables.read_options import read_options


def dialect(text, **options):
    lines = [*io.StringIO(text, newline="")]
    return find_dialect("f.csv", lines, read_options(**options), is_whole=True)


@pytest.mark.parametrize(
    ("text", "separator", "names"),
    [
        ("a,b\n1,2\n", ",", "a b"),
        ('"dose (a; b; c)",x\n1,2\n', ",", "dose_(a;_b;_c) x"),
        ('"a;b;c;d";x\n1;2\n', ";", "a;b;c;d x"),
        ("a;b\n1,5;2,5\n3;4\n", ";", "a b"),
        ("a\tb c\n1\t2\n", "\t", "a b_c"),
        ("a|b\n1|2\n", "|", "a b"),
        ("  a   b\n  1   2\n 10  20\n", " ", "a b"),
        ("a b\r1 2\r", " ", "a b"),
        ('"a b" c\n1 2\n', " ", "a_b c"),
        ("when,x\n2020-01-01 10:00,5\n2020-01-02 10:00,6\n", ",", "when x"),
        ("text\nsome words\nmore words\n", ",", "text"),
        # Without a name: pandas and R write the index so; and a comma too many.
        (",x\n0,1.5\n1,2.5\n", ",", "- x"),
        ('"","x"\n"1",1.5\n', ",", "- x"),
        ("a,b,\n1,2,\n3,4,\n", ",", "a b -"),
        ("a,b\n1,2,\n3,4,\n", ",", "a b -"),
        ("a,b,,\n1,2\n3,4\n", ",", "a b"),
        ("a,,b\n1,2,3\n", ",", "a - b"),
        # R's write.table: the rows have names, the column of these has none.
        ('"x" "y"\n"1" 5 6\n"2" 7 8\n', " ", "- x y"),
        ("x,y\nann,5,6\nbob,7,8\n", ",", "- x y"),
        # No header.
        ("5.1,3.5\n4.9,3.0\n", ",", "- -"),
        ("1\n2\n3\n", ",", "-"),
        ("1.5 2.5\n3.5 4.5\n", " ", "- -"),
        ("NA,3\n4,5\n", ",", "- -"),
        # Numbers that are names.
        ('"","16.5","17.5","20"\n"1",0,0,1\n"2",0,1,1\n', ",", "- 16.5 17.5 20"),
        (",0,1\n0,1.5,2.5\n1,3.5,4.5\n", ",", "- 0 1"),
        ("country,2019,2020\nFR,1,2\n", ",", "country 2019 2020"),
        # Above the header.
        ("# made by a machine\n#\nname,x\na,1\n", ",", "name x"),
        ("\n\nname,x\na,1\n", ",", "name x"),
        ("# a b\n1.0 2.0\n3.0 4.0\n", " ", "a b"),
        ("#,name,x\n1,a,2\n", ",", "# name x"),
        ("#chrom\tstart\nchr1\t100\nchr1\t200\n", "\t", "#chrom start"),
        ("Heights, measured\n\nname;x\na;1\n", ";", "name x"),
        ("ReportProgress,,\n,,\nname,x,y\na,1,2\n", ",", "name x y"),
        ("150,4,setosa\n5.1,3.5,0\n", ",", "150 4 setosa"),
    ],
)
def test_separator_and_names(text, separator, names):
    found = dialect(text)
    wanted = ["" if name == "-" else name.replace("_", " ") for name in names.split()]
    assert (found.names, found.separator) == (tuple(wanted), separator)


@pytest.mark.parametrize(
    ("text", "skipped", "has_header"),
    [
        ("a,b\n1,2\n", 0, True),
        ("# c\n\na,b\n1,2\n", 2, True),
        ("Title\na,b\n1,2\n", 1, True),
        ("5,3\n1,2\n", 0, False),
        ("# a b\n5 3\n1 2\n", 1, False),
    ],
)
def test_where_the_values_begin(text, skipped, has_header):
    found = dialect(text)
    assert (found.skipped_lines, found.has_header) == (skipped, has_header)


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["1.5", "2"], "."),
        (["1,5", "2"], ","),
        (["1,5e-3"], ","),
        (["0,125"], ","),  # no thousands begin with 0
        (["1,250"], None),  # which may be 1250
        (["1,250", "2,5"], ","),
        (["1,5", "1.5"], "."),  # then 1,5 is refused, not read
        (["12", "text"], None),
    ],
)
def test_the_decimal_mark(cells, decimal):
    assert dialect("a;b\n" + "".join(f"{cell};x\n" for cell in cells)).decimal == decimal


@pytest.mark.parametrize(
    "first", ["0", "0,1,2", "1,2", "2019,2020", "1100,1102,1104", ",16.5,17,18.75"]
)
def test_a_first_line_of_numbers_that_may_be_names_is_asked_about(first):
    text = first + "\n" + first.replace(",", "3.5,", 1).replace("0", "7.5") + "\n"
    with pytest.raises(TableError, match=r"first line \(.*\) may hold names or numbers; .*header"):
        dialect(text)
    assert dialect(text, header=True).names == tuple(first.split(","))
    assert set(dialect(text, header=False).names) == {""}


@pytest.mark.parametrize("text", ["x\n1,5\n2,7\n", "x\n1,5\n2\n3,5\n", "x\n1,5\n"])
def test_a_comma_under_one_name_is_asked_about(text):
    with pytest.raises(TableError, match=r"one cell and a later one is '1,5'; .*--decimal ,"):
        dialect(text)
    found = dialect(text, decimal=",")
    assert (found.names, found.decimal) == (("x",), ",")


def test_what_is_told_is_heeded():
    assert dialect("a:b\n1:2\n", separator=":").names == ("a", "b")
    assert dialect("a b\n1 2\n", separator="tab").names == ("a b",)
    assert dialect("% c\na,b\n% d\n1,2\n", comment="%").names == ("a", "b")
    assert dialect('x,y\n"1,5","2,5"\n', decimal=",").names == ("x", "y")


@pytest.mark.parametrize("text", ["", "\n\n", ",,\n,,\n", "# only a comment\n"])
def test_nothing_is_empty(text):
    with pytest.raises(TableError, match=r"f\.csv is empty; it should have a header line"):
        dialect(text)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("separator", "::", "must be one character, 'tab' or 'blank'; got '::'"),
        ("separator", "", "must be one character"),
        ("separator", '"', "must be one character"),
        ("separator", 1, "must be one character, 'tab' or 'blank'; got 1"),
        ("decimal", ";", "must be '.' or ','; got ';'"),
        ("missing", [None], "must be words or numbers; got None"),
        ("comment", " ", "must be the beginning of comment lines"),
        ("encoding", "klingon", "must be one that Python knows, such as 'latin-1'; got 'klingon'"),
        ("encoding", "hex", "must be one that Python knows"),
        ("header", "yes", "must be True or False; got 'yes'"),
    ],
)
def test_options_that_cannot_be(option, value, message):
    with pytest.raises(TableError, match=f"`{option}` {message}"):
        read_options(**{option: value})


def test_separator_and_decimal_mark_differ():
    with pytest.raises(TableError, match="cannot both be ','"):
        read_options(separator=",", decimal=",")


def test_options_survive_the_record_of_a_run():
    options = read_options(separator="tab", missing=["-", -999], header=False)
    assert read_options(**options.given()) == options
