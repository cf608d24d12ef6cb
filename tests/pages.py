"""Pages whose code runs: README and the guide, by one set of rules.

A page is run from top to bottom in one folder and one process, as by a reader. The language of a
fenced block says what is done with it:

===========  =====================================================================================
``python``   runs in the page's namespace; the functions ``test_*`` that it defines are called
``sh``       each line runs in the page's folder, but for a set-up, which CI runs
``text``     what the ``python`` block before it prints, where one stands before it; ``...`` is
             any text, and runs of blanks are one blank
``console``  ``$ `` and a command, then what it prints, by the same rule
``py``       does not run: it needs packages, engines or files that the extra `test` does not bring
===========  =====================================================================================

All others (``r``, ``bibtex``) do not run either.
"""

import contextlib
import dataclasses
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import matplotlib
import matplotlib.pyplot

from mog_jax.cli.command_line import main

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "mog_jax" / "guide"

_SAME = doctest.OutputChecker()
_LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the page on which the text begins."""

    language: str
    text: str
    line: int


class Page:
    """A Markdown file with blocks that run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")

    def blocks(self, *languages: str) -> list[Block]:
        """Its blocks in order; those in some languages, if any are named."""
        found = [
            Block(match[1], match[2], self.text.count("\n", 0, match.start()) + 2)
            for match in re.finditer(r"^```(\w*)\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)
        ]
        return [block for block in found if not languages or block.language in languages]

    def commands(self) -> list[str]:
        """Every line of its shell blocks."""
        return [line for block in self.blocks("sh") for line in block.text.splitlines() if line]

    def links(self) -> list[str]:
        """The targets of its links, without fragments; code is left out."""
        prose = re.sub(r"^```.*?^```$", "", self.text, flags=re.DOTALL | re.MULTILINE)
        prose = re.sub(r"`[^`\n]*`", "", prose)
        return re.findall(r"\]\(([^)#\s]+)", prose)

    def run(self, folder: Path) -> tuple[str, dict]:
        """Run its blocks in a folder; return the output of the Python ones, and their namespace."""
        matplotlib.use("agg")
        namespace = {"__name__": self.path.stem}
        printed, everything = None, []
        # As for a reader, and not as in the tests of the package.
        with (
            contextlib.chdir(folder),
            jax.numpy_dtype_promotion("standard"),
            jax.numpy_rank_promotion("allow"),
        ):
            for block in self.blocks():
                if block.language == "python":
                    printed = self._execute(block, namespace)
                    everything.append(printed)
                    continue
                if block.language == "text" and printed is not None:
                    self._compare(block, block.text, printed)
                elif block.language == "sh":
                    for command in block.text.splitlines():
                        if command and "-m venv" not in command:
                            self._shell(command, folder)
                elif block.language == "console":
                    command, _, shown = block.text.partition("\n")
                    self._compare(block, shown, self._shell(command.removeprefix("$ "), folder))
                printed = None
        matplotlib.pyplot.close("all")
        return "".join(everything), namespace

    def _execute(self, block: Block, namespace: dict) -> str:
        # Lines are counted as on the page, so that a traceback shows the page's own.
        code = compile("\n" * (block.line - 1) + block.text, str(self.path), "exec")
        known = set(namespace)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
            for name in namespace.keys() - known:
                if name.startswith("test_"):
                    namespace[name]()
        return printed.getvalue()

    def _shell(self, command: str, folder: Path) -> str:
        """Run a command as after the set-up: its tools are those beside this Python.

        One of ``mog-jax`` alone, without pipes or patterns, needs no process of its own, which
        would load JAX and its programs anew.
        """
        name, *arguments = shlex.split(command)
        if name == "mog-jax" and not set(command) & set("|<>*;&$"):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                assert main(arguments) == 0, f"{self.path.name}: {command}"
            return printed.getvalue()
        beside = Path(sys.executable).parent
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=dict(os.environ, PATH=f"{beside}{os.pathsep}{os.environ['PATH']}"),
            capture_output=True,
            text=True,
            check=False,
            timeout=1_200,
        )
        assert done.returncode == 0, f"{self.path.name}: {command}\n{done.stderr}"
        return done.stdout

    def _compare(self, block: Block, shown: str, printed: str) -> None:
        where = f"{self.path.name}, line {block.line}"
        assert _SAME.check_output(shown, printed, _LOOSELY), f"{where}: printed is\n{printed}"
