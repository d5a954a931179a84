"""Nothing that others wrote is unpickled or evaluated: a report, a store, a cache or a cookie is never a program."""

import ast
import json
import pickle
from pathlib import Path

import pytest
import xarray as xr

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = sorted(path for folder in ("spread", "dashboards") for path in (REPOSITORY / folder).rglob("*.py"))

PICKLERS = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle"}
READERS = {"read_pickle", "unsafe_load", "full_load", "tree_deserialise_leaves"}
EVALUATORS = {"eval", "exec", "compile", "__import__"}

ALLOWED = {
    # calls travel from a client to the workers of its own cluster, over connections that distributed guards and
    # unpickles from itself; what a worker opens was sealed by the client a moment before, and comes from no file
    "spread/cluster/calls.py": {"import cloudpickle", "cloudpickle.dumps", "cloudpickle.loads"},
}
"""Where a pickle may be, and why."""


def name_of(node):
    """``a.b.c`` of a name; the last part where it begins with something else."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def findings(source):
    """What in a source could make a program of data."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {f"import {a.name}" for a in node.names if a.name.split(".")[0] in PICKLERS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLERS:
            found.add(f"import {node.module}")
        elif isinstance(node, ast.Call):
            name = name_of(node.func)
            head, _, last = name.rpartition(".")
            if head in PICKLERS or last in READERS or name in EVALUATORS or name == "yaml.load":
                found.add(name)
            for keyword in node.keywords:
                harmless = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg == "allow_pickle" and not harmless:
                    found.add(f"{name}(allow_pickle)")
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle\npickle.loads(b'')", {"import pickle", "pickle.loads"}),
        ("from cloudpickle import loads", {"import cloudpickle"}),
        ("import numpy as np\nnp.load(path, allow_pickle=True)", {"np.load(allow_pickle)"}),
        ("np.load(path, allow_pickle=trusted)", {"np.load(allow_pickle)"}),
        ("np.load(path, allow_pickle=False)\nnp.load(path)", set()),
        ("pd.read_pickle(path)\nyaml.load(text)\nyaml.safe_load(text)", {"pd.read_pickle", "yaml.load"}),
        ("eval(text)\nmodel.eval()\nre.compile('x')", {"eval"}),
    ],
)
def test_the_search_sees_what_it_should(source, found):
    assert findings(source) == found


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(REPOSITORY)) for path in FILES])
def test_no_file_reads_a_pickle(path):
    name = str(path.relative_to(REPOSITORY))
    assert findings(path.read_text(encoding="utf-8")) == ALLOWED.get(name, set())


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


PICKLE = {"id": "pickle", "protocol": 4}


@pytest.mark.parametrize(("dtype", "filters", "compressor"), [
    ("|O", [PICKLE], None), ("<f8", [PICKLE], None), ("<f8", None, PICKLE),
])  # fmt: skip
def test_a_store_cannot_ask_to_be_unpickled(tmp_path, dtype, filters, compressor):
    """Zarr has had a codec that unpickles; that it refuses to use it is what our readers rely on."""
    store, harmed = tmp_path / "evil.zarr", tmp_path / "harmed"
    (store / "tas").mkdir(parents=True)
    (store / ".zgroup").write_text('{"zarr_format": 2}')
    described = {
        "zarr_format": 2, "shape": [1], "chunks": [1], "dtype": dtype, "fill_value": None, "order": "C",
        "filters": filters, "compressor": compressor,
    }  # fmt: skip
    (store / "tas" / ".zarray").write_text(json.dumps(described))
    (store / "tas" / ".zattrs").write_text('{"_ARRAY_DIMENSIONS": ["time"]}')
    (store / "tas" / "0").write_bytes(pickle.dumps([Harm(harmed)]))
    with pytest.raises(ValueError, match="pickle"):
        xr.open_zarr(store, consolidated=False)["tas"].load()
    assert not harmed.exists()
    pickle.loads((store / "tas" / "0").read_bytes())
    assert harmed.exists(), "the store would have done harm"
