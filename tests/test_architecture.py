"""The structure of the package: layers, imports and public names."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mog_jax

PACKAGE = Path(mog_jax.__file__).parent
# Ground floor first: a module imports only from floors below its own.
FLOORS = [
    {
        "arrays",
        "crosscheck",
        "datasets",
        "devices",
        "explained",
        "fuse",
        "lane_shapes",
        "manual_axes",
        "parameter_names",
        "program_cache",
        "progress",
        "suggestions",
        "threads",
    },
    {"array_like"},
    {"precision"},
    {"mixture"},
    {"intervals"},
    {"likelihood", "kernel", "penalty"},
    {"gradients"},
    {"inference"},
    {"fitting"},
    {"statistics"},
    {"selection", "bootstrap", "profile"},
    {"anndata", "chunks", "plots", "self_check", "sklearn"},
    {"tables"},
    {"dask", "ray", "report", "spark", "streams"},
    {"cli"},
]


# The same inside the packages, lowest floor first.
INNER_FLOORS = {
    "anndata": [{"matrices"}, {"storage"}, {"fit", "posterior"}],
    "chunks": [
        {"blocks"},
        {"levels", "passes"},
        {"survey"},
        {"starts"},
        {"climb"},
        {"answer"},
        {"maximum"},
    ],
    "crosscheck": [
        {"arrays", "findings", "jaxpr_types", "precisions", "progress", "session"},
        {"special"},
        {"jaxprs"},
        {"exact", "strategies"},
        {"inputs"},
        {"judge"},
        {"mutation"},
        {"report"},
        {"forms", "options", "validation", "verdict"},
        {"search"},
        {"checking"},
        {"api", "pytest_plugin"},
        {"discovery"},
    ],
    "crosscheck.discovery": [
        {"errors"},
        {"targets"},
        {"rules"},
        {"signatures"},
        {"guesses"},
        {"checks"},
    ],
    "crosscheck.exact": [
        {"balls", "deadlines", "errors"},
        {"ball_arrays", "evaluation", "functions"},
        {"special"},
        {"arithmetic", "control", "machine", "structure"},
        {"decompositions", "linear", "reductions", "windows"},
        {"complex_numbers", "sparse"},
        {"interpreter"},
        {"refinement"},
    ],
    "crosscheck.inputs": [{"static"}, {"arguments"}, {"simplex"}, {"draws"}],
    "crosscheck.judge": [
        {"conditioning", "endless", "oracle", "quotients"},
        {"accuracy", "claims"},
        {"executions", "formula"},
        {"case", "judgement"},
        {"case_tests"},
        {"judge"},
    ],
    "crosscheck.mutation": [{"operators"}, {"score"}],
    "crosscheck.report": [
        {"snippet_imports", "summary"},
        {"plot", "snippet", "text"},
        {"report"},
    ],
    "fitting": [
        {"climb", "parameterisation"},
        {"options"},
        {"data"},
        {"multistart"},
        {"results"},
        {"fit_block", "in_blocks"},
        {"intervals"},
        {"api", "ascent_path", "local_maximum"},
    ],
    "fitting.climb": [
        {"arrival", "symmetric"},
        {"derivatives"},
        {"directions"},
        {"ascent"},
        {"tiles"},
    ],
    "fitting.data": [
        {"buckets", "grid", "inputs"},
        {"fixed", "layout", "sparse", "standardise", "interval_options"},
        {"intervals"},
    ],
    "fitting.intervals": [
        {"observations"},
        {"kernel", "starts"},
        {"climb"},
        {"maximise"},
        {"describe", "from_starts", "replicates"},
        {"fit_intervals"},
    ],
    "fitting.multistart": [
        {"choice", "groups", "packing", "starts"},
        {"climbs", "coreset"},
        {"pruning"},
        {"block"},
        {"polish", "search"},
        {"reconsider"},
        {"maximise"},
    ],
    "fitting.results": [
        {"arrow_file", "columns", "map_intervals", "map_points", "named", "unresolved"},
        {"fitted_data", "remarks"},
        {"criteria", "distribution", "uncertainty"},
        {"exports", "methods"},
        {"fit"},
        {"describe"},
    ],
}
# Packages in which no module imports itself by way of others, not even late or for its types.
WITHOUT_CIRCLES = [
    "anndata",
    "chunks",
    "cli",
    "crosscheck",
    "fitting",
    "inference",
    "plots",
    "report",
    "intervals",
    "sklearn",
    "streams",
    "tables",
]
# The only file that may import `jax.extend`.
JAXPRS = "crosscheck/jaxpr_types.py"


def room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path):
    """Rooms of the package that a module imports when it is run, wherever in its text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
            if node.module == "mog_jax":
                names = [f"mog_jax.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "mog_jax" and len(parts) > 1:
                yield parts[1]


MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__"
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_import_only_from_floors_below(path):
    height = {name: level for level, floor in enumerate(FLOORS) for name in floor}
    here = room(path)
    for there in imports(path):
        assert there == here or height[there] < height[here], f"{here} imports {there}"


def test_the_harness_is_an_island():
    for path in MODULES:
        if room(path) == "crosscheck":
            assert set(imports(path)) <= {"crosscheck"}


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def modules_imported(path):
    """Modules of the package that a module imports anywhere in its text, by their full names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mog_jax"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".removeprefix("mog_jax").lstrip(".")
                yield inner if inner in NAMES else inner.rpartition(".")[0]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("mog_jax."):
                    yield alias.name.removeprefix("mog_jax.")


def within(package, name):
    """The room of `package` that a module lies in; None where it lies elsewhere."""
    return (
        name.removeprefix(package + ".").split(".")[0] if name.startswith(package + ".") else None
    )


@pytest.mark.parametrize("package", INNER_FLOORS)
def test_rooms_import_only_from_floors_below(package):
    height = {name: level for level, floor in enumerate(INNER_FLOORS[package]) for name in floor}
    inside = {name: path for name, path in NAMES.items() if within(package, name)}
    assert {within(package, name) for name in inside} == set(height)
    for name, path in inside.items():
        here = within(package, name)
        for imported in modules_imported(path):
            there = within(package, imported)
            if there is not None and there != here:
                assert height[there] < height[here], f"{name} imports {imported}"


@pytest.mark.parametrize("package", WITHOUT_CIRCLES)
def test_no_module_imports_itself_by_way_of_others(package):
    # The package's own front, which only names its modules, is left out.
    graph = {
        name: {i for i in modules_imported(path) if within(package, i)} - {name}
        for name, path in NAMES.items()
        if within(package, name)
    }
    while graph:
        leaves = [name for name, imported in graph.items() if not imported & graph.keys()]
        assert leaves, f"a circle among {', '.join(sorted(graph))}"
        for name in leaves:
            del graph[name]


def test_one_file_looks_inside_the_programs_of_jax():
    users = [p for p in MODULES if "jax.extend" in re.sub(r"``.*?``", "", p.read_text("utf-8"))]
    assert [str(p.relative_to(PACKAGE)) for p in users] == [JAXPRS]


def test_relative_imports_are_not_used():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level > 0), path


def test_only_public_jax():
    for path in MODULES:
        assert "jax._src" not in path.read_text(encoding="utf-8"), path


def test_importing_is_silent_and_loads_neither_jax_nor_hypothesis():
    program = (
        "import sys, mog_jax, mog_jax.cli\n"
        "assert not {'jax', 'hypothesis', 'matplotlib', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_public_name_can_be_had_and_no_other():
    for name in mog_jax.__all__:
        assert getattr(mog_jax, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mog_jax.nonsense
    assert dir(mog_jax) == sorted(mog_jax.__all__)


PUBLIC = [getattr(mog_jax, name) for name in mog_jax.__all__]


@pytest.mark.parametrize(
    "function", [f for f in PUBLIC if inspect.isfunction(f)], ids=lambda f: f.__name__
)
def test_docstrings_describe_the_parameters_that_there_are(function):
    text = inspect.getdoc(function)
    assert text, f"{function.__name__} has no docstring"
    section = re.search(r"Parameters\n-+\n(.*?)(\n\n\w+\n-+\n|\Z)", text, re.DOTALL)
    assert section, "no Parameters section"
    described = [
        name.strip()
        for line in re.findall(r"^(\w[\w, ]*?) :", section.group(1), re.MULTILINE)
        for name in line.split(",")
    ]
    assert described == [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD  # they belong to another function
    ]


def lines_of_code(path):
    """Lines of a module but for its docstrings, which are the reference of the public names."""
    text = path.read_text(encoding="utf-8")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    docstrings = [
        node.body[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node)
    ]
    return len(text.splitlines()) - sum(d.end_lineno - d.lineno + 1 for d in docstrings)


def test_modules_fit_in_a_head():
    lengths = {str(path.relative_to(PACKAGE)): lines_of_code(path) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > 430} == {}


# The map of a package is the docstring of its `__init__`.


PACKAGES = sorted(init.parent for init in PACKAGE.rglob("__init__.py"))


def map_of(package):
    return ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: str(p.relative_to(PACKAGE.parent)))
def test_the_map_of_a_package_names_every_module(package):
    text = map_of(package) + (map_of(package.parent) if package != PACKAGE else "")
    modules = {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}
    modules |= {init.parent.name for init in package.glob("*/__init__.py")}
    on_the_map = {word for name in re.findall(r"`([\w.]+)`", text) for word in name.split(".")}
    assert modules <= on_the_map


@pytest.mark.parametrize(
    ("package", "floors"), [("", FLOORS), ("crosscheck", INNER_FLOORS["crosscheck"])]
)
def test_a_map_that_promises_an_order_has_that_of_the_floors(package, floors):
    text = map_of(PACKAGE / package)
    assert "Each imports only from those above it" in text
    floor_of = {module: number for number, floor in enumerate(floors) for module in floor}
    rows = re.findall(r"^`(\w+)`", text, re.MULTILINE)
    numbers = [floor_of[module] for module in rows if module in floor_of]
    assert len(numbers) > 10
    assert numbers == sorted(numbers)
