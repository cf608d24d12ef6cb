"""The kind of a file, by its first bytes; and what to do with kinds that are not read."""

import bz2
import contextlib
import dataclasses
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow

from mog_jax.tables.errors import TableError

HEAD = 4096
_PACKINGS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\0": "xz",
    b"PK\3\4": "zip",
}
_READ = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"ORC": "orc",
    b"\x93NUMPY": "numpy",
    b"\x89HDF\r\n\x1a\n": "h5ad",
}
_PARQUET_SUFFIXES = (".parquet", ".pq")
_FROM_SQLITE = "write a table of it to CSV: sqlite3 -header -csv its.db 'SELECT * FROM its_table'"
_TO_PARQUET = "write it to Parquet, as with"
# Kinds that are not read: place of the mark, the mark, the name, and what to do.
_OTHERS: list[tuple[int, bytes, str, str]] = [
    (0, b"FEA1", "a Feather file of version 1", f"{_TO_PARQUET} pandas.read_feather"),
    (0, b"SQLite format 3\0", "an SQLite database", _FROM_SQLITE),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook", "save the sheet as CSV"),
    (0, b"%%MatrixMarket", "a MatrixMarket file", f"{_TO_PARQUET} scipy.io.mmread and pandas"),
    (0, b"Obj\x01", "an Avro file", _TO_PARQUET + " DuckDB or polars"),
    (0, b"FCS", "a file of flow cytometry (FCS)", "write its events to CSV, as with flowCore"),
    (0, b"SIMPLE  =", "a FITS file", f"{_TO_PARQUET} astropy's Table.read(...).to_pandas()"),
    (0, b"$FL", "a file of SPSS", f"{_TO_PARQUET} pandas.read_spss"),
    (0, b"<stata_dta>", "a file of Stata", f"{_TO_PARQUET} pandas.read_stata"),
    (0, b"HEADER RECORD*******", "a SAS transport file", f"{_TO_PARQUET} pandas.read_sas"),
    (84, b"SAS FILE", "a file of SAS", f"{_TO_PARQUET} pandas.read_sas"),
    (0, b"RDX", "a file of R", "write the frame to CSV in R: write.csv"),
    (0, b"X\n\0\0", "a file of R", "write the frame to CSV in R: write.csv"),
    (0, b"MATLAB 5.0", "a file of MATLAB", f"{_TO_PARQUET} scipy.io.loadmat and pandas"),
    (257, b"ustar", "a tar archive", "unpack it first"),
    (0, b"7z\xbc\xaf", "a 7-Zip archive", "unpack it first"),
    (0, b"Rar!", "a RAR archive", "unpack it first"),
    (0, b"\0\5\x16\7", "a Mac's note about another file", "give the file without ._"),
    (0, b"%PDF", "a PDF document", "give the table itself, as CSV"),
    (0, b"\x89PNG", "a picture", "give the table itself, as CSV"),
    (0, b"\xff\xd8\xff", "a picture", "give the table itself, as CSV"),
]
_PICKLE = re.compile(rb"\x80[\x02-\x05].", re.DOTALL)
_BZIP2 = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a]")
_MARKUP = re.compile(r"\s*<(!doctype|html|\?xml|svg)", re.IGNORECASE)
_JSON = re.compile(r"\s*(\{\s*(\"|\}|$)|\[\s*(\{|\]|$))")
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """A file, how it is packed, and what it holds.

    Parameters
    ----------
    name : str
        What to call it in messages.
    path : str
        Where it lies.
    packing : str
        "none", "gzip", "zstd", "bz2", "xz" or "zip".
    kind : str
        "text", "parquet", "arrow", "orc", "numpy", "npz", "h5ad" or "duckdb".
    """

    name: str
    path: str
    packing: str
    kind: str

    def read(self, size: int) -> bytes:
        """Return its first bytes, unpacked."""
        with self.opened() as stream:
            return stream.read(size) or b""

    @contextlib.contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Open it, unpacked.

        Raises
        ------
        TableError
            If it cannot be read or unpacked, at any time until it is closed.
        """
        try:
            with contextlib.ExitStack() as stack:
                yield _unpacked(self, stack)
        except _BROKEN as error:
            reason = getattr(error, "strerror", None)
            if self.packing == "none":
                raise TableError(f"cannot read {self.name}: {reason or error}.") from None
            raise TableError(
                f"cannot read {self.name}: {self.path} is not a whole {self.packing} file."
            ) from None


def inspect(name: str, path: str) -> File:
    """Find the kind of a file.

    Raises
    ------
    TableError
        If it cannot be read, is empty, or is of a kind that is not read here.
    """
    file = File(name=name, path=path, packing="none", kind="text")
    head = file.read(HEAD)
    if not head:
        raise TableError(f"{name} is empty; it should have a header line and values.")
    packing = next((kind for mark, kind in _PACKINGS.items() if head.startswith(mark)), "none")
    if _BZIP2.match(head):
        packing = "bz2"
    if packing == "zip":
        if _is_npz(file):
            return dataclasses.replace(file, kind="npz")
        _refuse_archive(name, path)
    if packing != "none":
        file = dataclasses.replace(file, packing=packing)
        head = file.read(HEAD)
        if not head:
            raise TableError(f"{name} is empty; it should have a header line and values.")
    kind = _kind(name, head, path)
    if kind != "text" and packing != "none":
        raise TableError(f"cannot read {name}: it is a packed {kind} file; unpack it ({packing}).")
    return dataclasses.replace(file, kind=kind)


def refuse_markup(name: str, text: str) -> None:
    """Raise `TableError` for a page of the web or XML: a download that went wrong."""
    if _MARKUP.match(text):
        raise TableError(
            f"cannot read {name}: it is a page of the web (HTML or XML), not a table; was it "
            "downloaded from the right address?"
        )


def is_json(text: str) -> bool:
    """Return whether a text begins as JSON; a header of CSV may begin with a bracket, too."""
    return bool(_JSON.match(text.lstrip("\ufeff")[:HEAD]))


def _kind(name: str, head: bytes, path: str) -> str:
    # A header of CSV may well begin with "ORC".
    is_binary = bool(_CONTROL.search(head))
    for mark, kind in _READ.items():
        if head.startswith(mark) and is_binary:
            return kind
    if head[8:12] == b"DUCK":
        return "duckdb"
    for start, mark, what, way_out in _OTHERS:
        is_text_like = len(mark) < 8 and mark.isascii() and mark.decode().isprintable()
        if head[start:].startswith(mark) and (is_binary or not is_text_like):
            raise TableError(f"cannot read {name}: it is {what}; {way_out}.")
    if path.endswith(_PARQUET_SUFFIXES):
        return "parquet"
    if _PICKLE.match(head):
        raise TableError(
            f"cannot read {name}: it is a pickle of Python, which may run code; {_TO_PARQUET} "
            "frame.to_parquet."
        )
    return "text"


def refuse_unknown(name: str, head: bytes) -> None:
    """Raise `TableError` for bytes that cannot be a text in UTF-8."""
    if b"\0" in head:
        raise TableError(
            f"cannot read {name}: it is neither a text nor a format that is known here; give CSV, "
            "Parquet, Arrow, ORC, NumPy or JSON lines."
        )


def encoding_by_bytes(head: bytes) -> str | None:
    """Distinguish UTF-8, UTF-16 and UTF-32 by a byte order mark, or by the places of zero bytes."""
    marks = {
        b"\xff\xfe\0\0": "utf-32",
        b"\0\0\xfe\xff": "utf-32",
        b"\xef\xbb\xbf": "utf-8-sig",
        b"\xff\xfe": "utf-16",
        b"\xfe\xff": "utf-16",
    }
    for mark, encoding in marks.items():
        if head.startswith(mark):
            return encoding
    even, odd = head[0:HEAD:2], head[1:HEAD:2]
    if odd and odd.count(0) > 0.7 * len(odd) and not even.count(0):
        return "utf-16-le"
    if even and even.count(0) > 0.7 * len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def _unpacked(file: File, stack: contextlib.ExitStack) -> Any:
    if file.packing == "gzip":
        return stack.enter_context(gzip.open(file.path))
    if file.packing == "bz2":
        return stack.enter_context(bz2.open(file.path))
    if file.packing == "xz":
        return stack.enter_context(lzma.open(file.path))
    if file.packing == "zstd":
        packed = stack.enter_context(pyarrow.input_stream(file.path, compression="zstd"))
        return io.BufferedReader(packed)
    if file.packing == "zip":
        archive = stack.enter_context(zipfile.ZipFile(file.path))
        (member,) = _members(archive)
        return stack.enter_context(archive.open(member))
    return stack.enter_context(Path(file.path).open("rb"))


def _members(archive: zipfile.ZipFile) -> list[str]:
    # macOS adds a folder of its own.
    names = archive.namelist()
    return [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX")]


def _is_npz(file: File) -> bool:
    try:
        with zipfile.ZipFile(file.path) as archive:
            members = archive.namelist()
    except _BROKEN:
        return False
    return bool(members) and all(name.endswith(".npy") for name in members)


def _refuse_archive(name: str, path: str) -> None:
    """Raise `TableError` for a zip that is something else, or holds several files."""
    try:
        with zipfile.ZipFile(path) as archive:
            members, every = _members(archive), archive.namelist()
    except _BROKEN:
        raise TableError(f"cannot read {name}: {path} is not a whole zip file.") from None
    if "[Content_Types].xml" in every or "mimetype" in every:
        raise TableError(f"cannot read {name}: it is a workbook or document; save it as CSV.")
    if len(members) != 1:
        raise TableError(
            f"cannot read {name}: it is a zip archive of {len(members)} files; unpack it and name "
            "one."
        )
