"""The source must not run or unpickle data from others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

FOLDERS = ("spaces", "trainable", "results", "search", "demo", "clusters")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PICKLES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "_pickle"}
READING = {"load", "loads", "Unpickler", "open"}
RUNNING = {"eval", "exec", "compile", "__import__", "input", "os.system", "os.popen"}
ALLOWED = {
    # Messages between the Ray processes of one search; nothing of them comes from a file.
    "search/benches/bench_executor.py": {"pickle.loads"},
    "search/benches/task_queue.py": {"pickle.loads"},
    "search/benches/worker.py": {"cloudpickle.loads"},
    "search/cluster/node_probe.py": {"pickle.loads"},
    # Messages to worker processes, by their standard input.
    "trainable/qwen3_tts/data/encode_workers.py": {"pickle.load"},
}
"""Calls that read pickles, with the reason."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the name that it is made by, as far as that is a name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def told(call: ast.Call, name: str) -> object:
    """The constant that a keyword is given; None where it is not given one."""
    values = [word.value for word in call.keywords if word.arg == name]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def offences(tree: ast.AST) -> Iterator[str]:
    for name, call in calls(tree):
        parts = name.split(".")
        last, owner = parts[-1], parts[-2] if len(parts) > 1 else ""
        if name in RUNNING or (owner in PICKLES and last in READING):
            yield name
        elif name == "torch.load" and told(call, "weights_only") is not True:
            yield "torch.load without weights_only=True"
        elif name in ("np.load", "numpy.load") and told(call, "allow_pickle") is not False:
            yield "np.load without allow_pickle=False"
        elif owner == "yaml" and last in ("load", "load_all", "unsafe_load", "full_load"):
            yield name
        elif told(call, "trust_remote_code") is True or told(call, "shell") is True:
            yield f"{name} with what it is told"
        elif last in ("extractall", "extract", "unpack_archive") and told(call, "filter") != "data":
            yield f"{name} without filter='data'"
        elif last == "from_pretrained" and parts[0].startswith("Auto") and told(call, "trust_remote_code") is not False:
            yield f"{name} without trust_remote_code=False"
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (f"import {each}" for each in names if each in PICKLES - {"pickle", "cloudpickle"})
        if isinstance(node, ast.ImportFrom) and node.module in PICKLES:
            yield f"from {node.module} import"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_source_runs_and_unpickles_only_its_own_data(path: Path) -> None:
    found = set(offences(ast.parse(path.read_text(encoding="utf-8"))))
    assert found == ALLOWED.get(str(path.relative_to(ROOT)), set())


@pytest.mark.parametrize(
    "source",
    [
        "pickle.load(file)",
        "ray.cloudpickle.loads(data)",
        "from pickle import loads",
        "import joblib",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name)",
        "subprocess.run(line, shell=True)",
        "archive.extractall(folder)",
        "shutil.unpack_archive(path, folder)",
    ],
)
def test_offences_are_found(source: str) -> None:
    assert list(offences(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path, weights_only=True)",
        "yaml.safe_load(text)",
        "archive.extractall(folder, filter='data')",
        "model.eval()",
        "pickle.dumps(job)",
        "json.loads(text)",
    ],
)
def test_harmless_calls_pass(source: str) -> None:
    assert not list(offences(ast.parse(source)))
