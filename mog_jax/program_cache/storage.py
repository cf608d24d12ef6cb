"""Files of one user, each of them whole or absent.

Nothing here raises for the state of the disk. A file that cannot be read is absent, and a file that
cannot be written is not stored: a cache must never cause a failure.
"""

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LIMIT = 200 * 2**20  # bytes, of all files together

_MAGIC = b"mog_jax program, format 1\n"
_DIGEST = hashlib.sha256().digest_size
_SUFFIX = ".program"
_UNFINISHED = ".unfinished-"
_ABANDONED = 3600.0  # seconds after which an unfinished file is abandoned

_ON, _OFF = {"", "on", "1", "true", "yes"}, {"off", "0", "false", "no"}

_enabled = True


def enable() -> None:
    """Store and load programs again, after `disable`."""
    global _enabled
    _enabled = True


def disable() -> None:
    """Neither store nor load programs in this process from now on; ``MOG_JAX_CACHE=off`` likewise.

    Those that are loaded already remain in memory, and those that are stored remain on disk.
    """
    global _enabled
    _enabled = False


def directory() -> Path | None:
    """Where programs are stored, or None if they are not.

    The folder itself is created when the first program is stored.

    Raises
    ------
    ValueError
        If ``MOG_JAX_CACHE`` is none of ``on`` and ``off`` (or 1, 0, true, false, yes, no).
    """
    if not _enabled or _is_off() or not sys.platform.startswith("linux"):
        return None
    return _location()


def read(name: str) -> bytes | None:
    """Read the file stored under `name`, if it is whole and no other user can have written it."""
    folder = directory()
    if folder is None or not _is_private_folder(folder):
        return None
    content = _content_of_own_file(folder / (name + _SUFFIX))
    if content is None or len(content) < len(_MAGIC) + _DIGEST:
        return None
    header, payload = content[: len(_MAGIC) + _DIGEST], content[len(_MAGIC) + _DIGEST :]
    return payload if header == _header(name, payload) else None


def write(name: str, payload: bytes) -> None:
    """Store `payload` under `name`, all at once; do nothing where that is impossible."""
    folder = directory()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_private_folder(folder):
            _replace(folder / (name + _SUFFIX), _header(name, payload), payload)
            _remove_what_is_too_much(folder)


def remove_all() -> None:
    """Remove all files that `write` has left, also while storing is turned off."""
    folder = _location()
    if folder is None or not _is_private_folder(folder):
        return
    for path, _ in _files(folder):
        with contextlib.suppress(OSError):
            path.unlink()


def _is_off() -> bool:
    value = os.environ.get("MOG_JAX_CACHE", "").strip().lower()
    if value not in _ON | _OFF:
        raise ValueError(f"MOG_JAX_CACHE must be 'on' or 'off'; got {value!r}.")
    return value in _OFF


def _location() -> Path | None:
    """Return the folder of this user, or None where there is neither a user nor a home."""
    if not hasattr(os, "geteuid"):
        return None
    named = os.environ.get("MOG_JAX_CACHE_DIR", "").strip()
    try:
        root = Path(named).expanduser().absolute() if named else _cache_home() / "mog_jax"
    except (RuntimeError, OSError):  # no home, or no working directory
        return None
    # Each user has a folder of his own, also where several name the same one, such as /tmp.
    return root / f"programs-{os.geteuid()}" if root.is_absolute() else None


def _cache_home() -> Path:
    """Return the folder for caches, as the XDG base directory specification has it."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".cache"


def _is_private_folder(folder: Path) -> bool:
    try:
        status = folder.stat()
    except (OSError, ValueError):  # absent or unreadable; a name with a null character
        return False
    return stat.S_ISDIR(status.st_mode) and _is_private(status)


def _is_private(status: os.stat_result) -> bool:
    writable_by_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return status.st_uid == os.geteuid() and not writable_by_others


def _content_of_own_file(path: Path) -> bytes | None:
    # The status of the open file is checked, not of the path, which may change in between.
    # A pipe in place of the file would block without O_NONBLOCK.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not (stat.S_ISREG(status.st_mode) and _is_private(status)) or status.st_size > LIMIT:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read()
        with contextlib.suppress(OSError):  # the disk may be read-only
            os.utime(descriptor)  # used now: see `_remove_what_is_too_much`
        return content
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _header(name: str, payload: bytes) -> bytes:
    # With the name in it, a file that was renamed is not whole.
    digest = hashlib.sha256(name.encode() + b"\0")
    digest.update(payload)
    return _MAGIC + digest.digest()


def _replace(path: Path, *parts: bytes) -> None:
    """Write a file beside `path` and rename it: a reader sees the old file or the new one."""
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _remove_what_is_too_much(folder: Path) -> None:
    """Remove the files that were unused for longest, above `LIMIT`, and unfinished ones."""
    total = 0
    for path, status in sorted(_files(folder), key=lambda file: file[1].st_mtime, reverse=True):
        if path.name.startswith(_UNFINISHED):
            superfluous = status.st_mtime < time.time() - _ABANDONED
        else:
            total += status.st_size
            superfluous = total > LIMIT
        if superfluous:
            with contextlib.suppress(OSError):
                path.unlink()


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """List the files that `write` has left in a folder."""
    try:
        paths = list(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if path.name.startswith(_UNFINISHED) or path.name.endswith(_SUFFIX):
            with contextlib.suppress(OSError):
                yield path, path.lstat()
