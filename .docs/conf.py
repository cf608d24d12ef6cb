"""The site: the guide, the derivations, and a reference of the public names.

``sphinx-build -W --keep-going .docs .docs/_site`` builds it, after ``pip install '.[docs]'``. The
pages are those of the package: they are copied beside this file, and the links between them become
the site's. The headings and links of ``mog_jax/guide/index.md`` are the navigation, and ``__all__``
of each public module is the reference.
"""

import importlib
import inspect
import re
import shutil
from pathlib import Path

import mog_jax

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "mog_jax"

project = "mog_jax"
author = "The mog_jax authors"
release = version = mog_jax.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_site"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
# `py` is Python that a reader runs elsewhere.
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = f"mog_jax {release}"
html_copy_source = False
autodoc_typehints = "none"  # the Parameters sections have them, with shapes
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_custom_sections = ["Accuracy"]
napoleon_use_rtype = False
default_role = "code"

# What the site has under another path than the package.
_MOVED = {
    "../derivation.md": "derivation.md",
    "../crosscheck/accuracy.md": "accuracy.md",
    "../CHANGELOG.md": "changelog.md",
    "../../README.md": "readme.md",
}

# Public modules: those that `mog_jax` names, and those that are imported by their own name.
_MODULES = [
    "mog_jax",
    *sorted(f"mog_jax.{name}" for name in mog_jax._MODULES),
    "mog_jax.crosscheck.strategies",
    *(f"mog_jax.{name}" for name in ("dask", "program_cache", "ray", "report", "spark")),
]


_CLASS = ["   :members:", "   :inherited-members: int, str, ValueError, Exception"]


def _gather() -> None:
    """Copy the pages of the package, and write those of the reference."""
    for path in HERE.glob("*.md"):
        path.unlink()
    shutil.rmtree(HERE / "reference", ignore_errors=True)
    (HERE / "reference").mkdir()
    for path in (PACKAGE / "guide").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for theirs, ours in _MOVED.items():
            text = text.replace(f"]({theirs}", f"]({ours}")
        if path.stem == "index":
            text += _navigation(text)
        (HERE / path.name).write_text(text, encoding="utf-8")
    shutil.copytree(PACKAGE / "guide" / "pictures", HERE / "pictures", dirs_exist_ok=True)
    for theirs, ours in _MOVED.items():
        text = (PACKAGE / "guide" / theirs).resolve().read_text(encoding="utf-8")
        if ours == "readme.md":
            text = "---\norphan: true\n---\n" + _readme_links(text)
        (HERE / ours).write_text(text, encoding="utf-8")
    for module in _MODULES:
        (HERE / "reference" / f"{module}.rst").write_text(_reference(module), encoding="utf-8")


def _readme_links(text: str) -> str:
    """Turn README's links into the site's; a file that the site does not have gets no link."""
    text = text.replace("](mog_jax/guide/", "](")
    text = text.replace("](mog_jax/derivation.md", "](derivation.md")
    text = text.replace("](mog_jax/CHANGELOG.md", "](changelog.md")
    return re.sub(r"\[([^\]]+)\]\((?:LICENSE|mog_jax/report|\.github)[^)]*\)", r"\1", text)


def _navigation(index: str) -> str:
    """Give a table of contents for each heading of the index that has links below it."""
    trees = []
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        heading, _, below = section.partition("\n")
        pages = re.findall(r"^- \[[^\]]+\]\(([\w.]+\.md)", below, re.MULTILINE)
        trees.append(_tree(heading, pages))
    trees.append(_tree("Reference", [f"reference/{module}" for module in _MODULES]))
    return "".join(trees)


def _tree(caption: str, pages: list[str]) -> str:
    listed = "\n".join(page.removesuffix(".md") for page in pages)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n"


def _reference(name: str) -> str:
    """Give the page of a module: its own text, and a directive for each public name."""
    module = importlib.import_module(name)
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", ""]
    for member in _public_names(module):
        value = getattr(module, member)
        if inspect.ismodule(value):
            continue
        lines += [member, "-" * len(member), ""]
        if inspect.isclass(value):
            lines += [f".. autoclass:: {name}.{member}", *_CLASS, ""]
        else:
            lines += [f".. autofunction:: {name}.{member}", ""]
    return "\n".join(lines)


def _public_names(module: object) -> list[str]:
    if names := getattr(module, "__all__", None):
        return sorted(names)
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and not name.startswith("_")
        and value.__module__ == module.__name__
    ]


def _escape_stars(_app, _what, _name, _value, _options, lines: list[str]) -> None:
    """Keep the star of a shape, such as (*lanes, 2), from being taken for emphasis."""
    is_code = False
    for i, line in enumerate(lines):
        is_code = line.lstrip().startswith((">>>", "...")) or (is_code and line.strip() != "")
        if not is_code:
            parts = re.split(r"(`+[^`]+`+)", line)  # every other one is between backticks
            parts[::2] = [re.sub(r"([(, ])\*(?=\w)", r"\1\\*", part) for part in parts[::2]]
            lines[i] = "".join(parts)


def _skip_foreign(_app, _what, _name, value, _skip, _options) -> bool | None:
    """Leave out what scikit-learn adds to an estimator: its documentation has it."""
    return True if str(getattr(value, "__module__", "")).startswith("sklearn.") else None


def setup(app) -> None:
    """Write the pages, and register what is done to docstrings before they are parsed."""
    _gather()
    app.connect("autodoc-process-docstring", _escape_stars, priority=400)
    app.connect("autodoc-skip-member", _skip_foreign)
