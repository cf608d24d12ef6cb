"""Compiled programs, kept on disk: the next process loads them, and does not compile.

JAX compiles a program for each shape, and compiles it again in each process. That takes seconds,
and the work itself milliseconds. `keep_compiled` wraps a function as ``jax.jit`` does, and keeps
the executable in the user's cache folder, as ``numba.jit(cache=True)`` does. No setting of JAX is
changed, and the user's own programs are not stored.

What is stored
    One file for each function, shapes of its arguments and static options: the machine code, about
    1 MB, and the structure of arguments and results. No data: neither arguments nor results.

When a stored program is used
    Only in the same circumstances, all of which are in the file's name as a hash: sources of the
    package; versions of jax, jaxlib, NumPy and Python; processor, with its model and all its
    features; number of processors; JAX's settings, and the environment that XLA and JAX read;
    number of devices; compiler options; dtypes, shapes and structure of the arguments. (XLA's
    loader does not refuse a program of another processor, hence this check.) Otherwise the program
    is compiled, and stored beside the others.

Who is trusted
    This user alone. A program is machine code, and JAX wraps it in a pickle: whoever can write the
    file can run any code. Hence the folder is private (mode 0700), and a file is
    read only if it is a regular file of this user that nobody else may write; a symbolic link is
    not followed. A SHA-256 over the content finds files that were truncated or damaged; it is no
    signature. Such files are ignored, and replaced.

Where it is not used
    The processor must be JAX's default device; the system Linux, as others do not tell the
    processor's features in a file, and on macOS loading such executables has crashed; and jaxlib
    0.10.2 or later, as earlier ones print warnings at each load. Elsewhere it is plain ``jax.jit``,
    and so it is with arguments that lie on other devices, under ``jit``, ``grad`` and ``vmap``,
    under ``jax.disable_jit`` and ``jax.debug_nans``, and with static options that are unknown to
    the package (a function of the user's). A program that JAX's own persistent cache has supplied,
    if the user has that turned on, is not stored: XLA cannot write it out again. Nor is one that
    calls a library, as LAPACK: a process that only loads it would not know the library's functions.

A folder that cannot be written, a full disk or a missing home are no error: programs are compiled,
as without a cache. The folder holds at most 200 MB; those that were not used for longest go first.

Environment variables, read whenever a program is looked up:

``MOG_JAX_CACHE_DIR``
    The folder in which to store, in place of ``$XDG_CACHE_HOME/mog_jax`` or ``~/.cache/mog_jax``.
    Several users may name the same: each has a folder of his own in it.
``MOG_JAX_CACHE``
    ``off`` stores nothing and loads nothing.

`disable` and `enable` do the same from within; `clear` removes what is stored; `directory` tells
where it is.

Modules:

===============  ===================================================================================
`kept`           `keep_compiled`: `jax.jit` whose executables outlive the process
`circumstances`  all that a program depends on besides its arguments, as text
`storage`        files of one user, each of them whole or absent
===============  ===================================================================================
"""

from mog_jax.program_cache.kept import KeptProgram, clear, keep_compiled
from mog_jax.program_cache.storage import directory, disable, enable

__all__ = ["KeptProgram", "clear", "directory", "disable", "enable", "keep_compiled"]
