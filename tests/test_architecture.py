"""Who may import whom, how long a file may be, and that ``import spread`` stays light."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "spread"
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
every_file = pytest.mark.parametrize("path", FILES.values(), ids=FILES)

LEAVES = {
    "study", "requests", "vocabulary", "errors", "errata", "grids", "calendars", "operators", "stats", "natural_earth",
    "plausibility", "storage", "outlines", "regions",
}  # fmt: skip
STAGES = {"catalog", "selection", "opening", "conform", "regrid", "reduce", "ensemble", "report", "figures"}
ALLOWED = {"figures": {"report", "ensemble"}, "selection": {"catalog"}}  # what a stage may import of the others
KERNELS = {"diffusion", "emulator", "land", "coupled"}
WIRES = {
    "flow",
    "datasets",
    "plan",
    "counterfactual",
    "drivers",
    "simulations",
    "beside",
    "emulations",
    "sensitivities",
}
BRIDGES = {"simulate", "learning"}  # between xarray and JAX
# made once, by hand, with tools that the package does not need
DERIVATIONS = {"natural_earth/derive.py", "demo/calibrate.py", "errata/derive.py"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def at_import(body) -> list[ast.Import | ast.ImportFrom]:
    """Imports that happen when a module is imported: not those in functions or for type checkers."""
    found = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            found += at_import([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            found += at_import([*node.body, *node.orelse, *node.finalbody, *(n for h in node.handlers for n in h.body)])
        elif isinstance(node, ast.With | ast.ClassDef):
            found += at_import(node.body)
    return found


def named(imports) -> set[str]:
    """Full names of imported modules; ``from spread import x`` is ``spread.x``."""
    found = set()
    for node in imports:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module == "spread":
            found |= {f"spread.{alias.name}" for alias in node.names}
        else:
            found.add(node.module)
    return found


def everywhere(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.Import | ast.ImportFrom)]


def part(path: Path) -> str:
    """The stage, leaf or other part of the package to which a file belongs."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def ours(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("spread.")}


def theirs(names: set[str]) -> set[str]:
    roots = {name.split(".")[0] for name in names} - {"spread"}
    return roots - set(sys.stdlib_module_names)


def files_of(parts: set[str]) -> dict[str, Path]:
    return {name: path for name, path in FILES.items() if part(path) in parts}


def test_the_reader_of_imports_sees_what_it_should():
    source = """
import numpy
if TYPE_CHECKING:
    import pandas
try:
    import jax
except ImportError:
    from spread import catalog
def late():
    import xarray
class Held:
    import zarr
from spread.conform.units import land_share
"""
    assert named(at_import(ast.parse(source).body)) == {
        "numpy", "jax", "spread.catalog", "zarr", "spread.conform.units",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "path"), files_of(LEAVES).items(), ids=files_of(LEAVES))
def test_leaves_import_only_numpy_pydantic_and_leaves(name, path):
    names = named(at_import(tree(path).body))
    assert ours(names) <= LEAVES
    if name not in DERIVATIONS:
        assert theirs(names) <= {"numpy", "pydantic"}


@pytest.mark.parametrize(("name", "path"), files_of(STAGES).items(), ids=files_of(STAGES))
def test_stages_do_not_import_each_other(name, path):
    stage = part(path)
    imported = ours(named(at_import(tree(path).body)))
    assert imported & STAGES <= {stage} | ALLOWED.get(stage, set())
    assert not imported & (WIRES | KERNELS), "a stage knows nothing of what wires it"


@pytest.mark.parametrize(("name", "path"), files_of({"page"}).items(), ids=files_of({"page"}))
def test_the_page_imports_only_what_it_shows(name, path):
    assert ours(named(at_import(tree(path).body))) & STAGES <= {"figures", "report", "ensemble"}


@every_file
def test_nothing_imports_the_dashboard(path):
    # doctor looks for it without importing it; the command line imports it when it is asked to serve
    allowed = {"dashboards"} if path.name == "serving.py" else set()
    assert not theirs(named(everywhere(path))) & {"panel", "param", "dashboards"} - allowed
    assert not theirs(named(at_import(tree(path).body))) & {"dashboards"}


DASHBOARDS = PACKAGE.parent / "dashboards"
DASHBOARD_FILES = {str(path.relative_to(DASHBOARDS)): path for path in sorted(DASHBOARDS.rglob("*.py"))}


@pytest.mark.parametrize("path", DASHBOARD_FILES.values(), ids=DASHBOARD_FILES)
def test_the_dashboard_reads_reports_and_nothing_else(path):
    allowed = {"report", "ensemble", "study", "figures", "counterfactual", "errors", "vocabulary", "natural_earth"}
    # what-ifs ask the public calls of emulator and simulation, here only and late: a page without them needs no JAX
    if path.name in ("emulating.py", "working.py"):
        assert ours(named(at_import(tree(path).body))) <= allowed
        allowed |= {"emulator", "coupled", "simulate", "simulations", "drivers", "cluster"}
    # the folder of screenshots is made from the demo's report, by the command line
    assert ours(named(everywhere(path))) <= allowed
    assert not theirs(named(everywhere(path))) & {"dask", "distributed", "jax", "pickle", "cloudpickle"}


@pytest.mark.parametrize("path", DASHBOARD_FILES.values(), ids=DASHBOARD_FILES)
def test_the_dashboard_keeps_the_rules_of_the_house(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert len(ast.get_docstring(tree(path)) or "") > 20
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {f.name: code_lines(f) for f in functions if code_lines(f) > 60} == {}


@pytest.mark.parametrize(("name", "path"), files_of(STAGES | WIRES).items(), ids=files_of(STAGES | WIRES))
def test_no_stage_imports_jax(name, path):
    assert not theirs(named(everywhere(path))) & {"jax", "jaxlib", "equinox", "optax"}


@every_file
def test_datasets_and_jax_meet_on_bridges_only(path):
    names = theirs(named(everywhere(path)))
    assert part(path) in BRIDGES or not {"xarray", "jax"} <= names


@pytest.mark.parametrize(("name", "path"), files_of({"counterfactual"}).items(), ids=files_of({"counterfactual"}))
def test_a_counterfactual_asks_simulate_for_what_runs(name, path):
    assert ours(named(everywhere(path))) <= {"counterfactual", "simulate", "ensemble", "drivers", "errors"}


def test_kernels_know_no_datasets():
    for name, path in files_of(KERNELS).items():
        assert not theirs(named(everywhere(path))) & {"xarray", "dask", "distributed", "zarr"}, name
    for name, path in files_of({"land"}).items():
        assert "emulator" not in ours(named(everywhere(path))), name
    for name, path in files_of({"emulator"}).items():
        assert "land" not in ours(named(everywhere(path))), name
    for name, path in files_of({"coupled"}).items():
        assert not {"emulator", "demo"} & ours(named(everywhere(path))), name


@pytest.mark.parametrize(("name", "path"), files_of({"cluster"}).items(), ids=files_of({"cluster"}))
def test_a_cluster_knows_nothing_of_what_runs_on_it(name, path):
    imports = named(at_import(tree(path).body))
    assert ours(imports) <= {"cluster", "errors", "__version__"}
    assert theirs(imports) <= {"cloudpickle"}, "the rest is imported when a cluster is asked for"


@every_file
def test_every_file_has_a_noun(path):
    names = {part_.removesuffix(".py") for part_ in path.relative_to(PACKAGE).parts}
    assert not names & {"utils", "util", "helpers", "core", "common", "misc", "base", "tools"}


@every_file
def test_imports_are_absolute(path):
    assert [node.lineno for node in everywhere(path) if isinstance(node, ast.ImportFrom) and node.level] == []


@every_file
def test_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= function.body[0].end_lineno - function.body[0].lineno + 1
    return lines


@every_file
def test_functions_are_short(path):
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {f.name: code_lines(f) for f in functions if code_lines(f) > 60} == {}


@every_file
def test_every_module_says_what_it_is(path):
    assert len(ast.get_docstring(tree(path)) or "") > 20


HEAVY = ("numpy", "xarray", "dask", "distributed", "zarr", "pandas", "pydantic", "fsspec", "holoviews", "jax")


def python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=PACKAGE.parent).stdout


def loaded_by(code: str) -> set[str]:
    shown = f"import sys; print('loaded', *sorted({{m.split('.')[0] for m in sys.modules}} & set({HEAVY!r})))"
    last = python(f"{code}\n{shown}").splitlines()[-1]
    return set(last.split()[1:])


def test_importing_spread_imports_nothing_heavy():
    assert loaded_by("import spread; spread.__version__; dir(spread)") == set()
    assert loaded_by("import spread; spread.SpreadError; spread.Failure; spread.VARIABLES") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = f"""
import contextlib, runpy, sys
sys.argv = ["spread", *{arguments!r}]
with contextlib.suppress(SystemExit):
    runpy.run_module("spread", run_name="__main__")
"""
    assert loaded_by(code) == set()


def test_importing_spread_takes_no_time():
    code = "import time; start = time.perf_counter(); import spread; print(time.perf_counter() - start)"
    assert min(float(python(code)) for _ in range(3)) < 0.15


def test_every_public_name_is_there():
    code = "import spread\nfor name in spread.__all__: getattr(spread, name)\nprint(len(spread.__all__))"
    assert 5 < int(python(code)) <= 20


def test_an_unknown_public_name_is_refused():
    code = "import spread\ntry: spread.reduce_everything\nexcept AttributeError as error: print(error)"
    assert "no attribute 'reduce_everything'" in python(code)
