"""The build backend: which compiler it takes, what it requires, what it does without one."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the backend, which is no part of the installed package."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "backend"))
    monkeypatch.delenv("CHAINRULE_NATIVE", raising=False)
    names = ("compilers", "hooks", "in_place")
    yield SimpleNamespace(**{n: importlib.import_module(f"chainrule_build.{n}") for n in names})
    for name in [name for name in sys.modules if name.partition(".")[0] == "chainrule_build"]:
        del sys.modules[name]


@pytest.fixture
def no_compiler(backend: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The backend on a machine with Python's headers and no C++ compiler, nor ziglang."""
    monkeypatch.setattr(backend.compilers, "missing_headers", lambda: None)
    monkeypatch.setattr(backend.hooks, "missing_headers", lambda: None)
    monkeypatch.setattr(backend.hooks, "machine_compiler", lambda: None)
    monkeypatch.setattr(backend.compilers, "machine_compiler", lambda: None)
    monkeypatch.setattr(backend.compilers, "zig_target", lambda: "x86_64-linux-gnu")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return backend


@pytest.mark.parametrize(
    ("own", "ziglang", "names"),
    [(True, False, ["g++"]), (True, True, ["g++", "ziglang"]), (False, True, ["ziglang"])],
    ids=["a compiler", "both", "ziglang only"],
)
def test_compilers_are_tried_best_first(
    no_compiler: Any, monkeypatch: pytest.MonkeyPatch, own: bool, ziglang: bool, names: list[str]
) -> None:
    compilers = no_compiler.compilers
    machine = compilers.Compiler("g++", "g++", "/usr/bin/g++")
    monkeypatch.setattr(compilers, "machine_compiler", lambda: machine if own else None)
    found = SimpleNamespace() if ziglang else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    assert [compiler.name for compiler in compilers.usable_compilers()] == names


def test_a_compiler_that_fails_gives_way_to_ziglang_and_that_to_numpy(
    no_compiler: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    hooks, compilers = no_compiler.hooks, no_compiler.compilers
    both = [compilers.Compiler("g++", "g++", "/usr/bin/g++"), compilers.Compiler("ziglang", "zig")]
    tried: list[str] = []
    failing = {"g++"}

    def build_wheel(folder: str, settings: dict[str, Any]) -> str:
        if settings.get("wheel.cmake") == "false":
            return "pure.whl"
        tried.append("ziglang" if "zig" in settings["cmake.define.CMAKE_CXX_COMPILER"] else "g++")
        if tried[-1] in failing:
            raise subprocess.CalledProcessError(1, "cmake")
        return "native.whl"

    monkeypatch.setattr(hooks, "usable_compilers", lambda: both)
    monkeypatch.setattr(hooks.scikit, "build_wheel", build_wheel)
    assert hooks.build_wheel(str(tmp_path)) == "native.whl" and tried == ["g++", "ziglang"]
    assert "did not build with g++" in capsys.readouterr().out
    failing.add("ziglang")
    assert hooks.build_wheel(str(tmp_path)) == "pure.whl" and tried[2:] == ["g++", "ziglang"]
    assert "without the native core, NumPy runs everything: it did not" in capsys.readouterr().out
    monkeypatch.setenv("CHAINRULE_NATIVE", "1")
    with pytest.raises(SystemExit, match="native core cannot be built: it did not compile"):
        hooks.build_wheel(str(tmp_path))


def script(folder: Path, text: str) -> str:
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("named", ["no-such-compiler", "false"])
def test_compiler_that_cannot_compile_the_trial_is_not_taken(
    backend: Any, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("CXX", named)
    assert backend.compilers.machine_compiler() is None


def test_named_compiler_is_left_to_cmake(
    backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = script(tmp_path, "exit 0")
    monkeypatch.setenv("CXX", f"{named} -some-option")
    compiler = backend.compilers.machine_compiler()
    assert compiler.program == named
    assert compiler.cmake_entries(tmp_path) == {}


def requirement_names(backend: Any) -> set[str]:
    requirements = backend.hooks.get_requires_for_build_wheel()
    return {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


def test_requirements_fetch_a_compiler_where_there_is_none(
    no_compiler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(no_compiler.compilers, "_pip", lambda *arguments: True)
    assert {"nanobind", "ziglang"} <= requirement_names(no_compiler)
    # Where pip says that it cannot be had, the installation goes on without.
    monkeypatch.setattr(
        no_compiler.compilers, "_pip", lambda *arguments: "install" not in arguments
    )
    assert requirement_names(no_compiler) == set()
    monkeypatch.setenv("CHAINRULE_NATIVE", "0")
    monkeypatch.setattr(no_compiler.compilers, "_pip", lambda *arguments: True)
    assert requirement_names(no_compiler) == set()


def test_requirements_leave_the_machine_its_own_compiler(
    no_compiler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(no_compiler.hooks, "machine_compiler", lambda: object())
    names = requirement_names(no_compiler)
    assert "nanobind" in names and "ziglang" not in names


def test_zig_compiles_for_every_machine_of_the_family(no_compiler: Any, tmp_path: Path) -> None:
    entries = no_compiler.compilers.Compiler("ziglang", "zig").cmake_entries(tmp_path)
    wrapper = Path(entries["CMAKE_CXX_COMPILER"])
    assert os.access(wrapper, os.X_OK)
    assert "-m ziglang c++ -target x86_64-linux-gnu" in wrapper.read_text(encoding="utf-8")


@pytest.mark.parametrize("split", [True, False], ids=["as in Debian", "in one folder"])
def test_zig_finds_the_half_of_pythons_headers_that_debian_keeps_apart(
    no_compiler: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, split: bool
) -> None:
    include = tmp_path / "include of this machine"
    headers = include / "x86_64-linux-gnu" / "python3.13" if split else include / "python3.13"
    headers.mkdir(parents=True)
    (headers / "pyconfig.h").touch()
    variables = {"MULTIARCH": "x86_64-linux-gnu"}
    stand_in = SimpleNamespace(
        get_path=lambda name: str(include / "python3.13"), get_config_var=variables.get
    )
    monkeypatch.setattr(no_compiler.compilers, "sysconfig", stand_in)
    entries = no_compiler.compilers.Compiler("ziglang", "zig").cmake_entries(tmp_path / "tools")
    wrapper = Path(entries["CMAKE_CXX_COMPILER"]).read_text(encoding="utf-8")
    assert (f"-idirafter '{include}'" in wrapper) == split


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [("0", "CHAINRULE_NATIVE=0"), ("", r"no C\+\+20 compiler found, and .* ziglang")],
)
def test_wheel_without_the_core_is_pure_and_says_so(
    no_compiler: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    wanted: str,
    reason: str,
) -> None:
    monkeypatch.setenv("CHAINRULE_NATIVE", wanted)
    assert no_compiler.hooks.build_wheel(str(tmp_path)).endswith("-py3-none-any.whl")
    printed = capsys.readouterr().out
    line = f"^chainrule: installed without the native core, NumPy runs everything: {reason}"
    assert len(re.findall(line, printed, re.MULTILINE)) == 1


def test_core_that_must_be_built_and_cannot_is_an_error(
    no_compiler: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHAINRULE_NATIVE", "1")
    with pytest.raises(SystemExit, match=r"native core cannot be built: no C\+\+20 compiler"):
        no_compiler.hooks.build_wheel(str(tmp_path))
    monkeypatch.setattr(no_compiler.compilers, "missing_headers", lambda: "Python.h is missing")
    with pytest.raises(SystemExit, match=r"native core cannot be built: Python\.h is missing"):
        no_compiler.hooks.build_wheel(str(tmp_path))
    monkeypatch.setenv("CHAINRULE_NATIVE", "yes")
    with pytest.raises(SystemExit, match="CHAINRULE_NATIVE is 'yes'; it can be 0, 1 or nothing"):
        no_compiler.hooks.get_requires_for_build_wheel()


def test_failed_update_in_place_leaves_no_extension_that_is_out_of_date(
    no_compiler: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package, without = tmp_path / "package", tmp_path / "build" / "without.txt"
    monkeypatch.setattr(no_compiler.in_place, "PACKAGE", package)
    monkeypatch.setattr(no_compiler.hooks, "WITHOUT", without)
    package.mkdir()
    old = package / f"_native{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    old.touch()
    no_compiler.hooks.update_in_place()
    assert not old.exists()
    assert "no C++20 compiler" in without.read_text(encoding="utf-8")


def test_code_for_newer_processors_shares_nothing_with_the_rest() -> None:
    """An inline function would be kept once by the linker, perhaps with AVX-512 in it."""
    builds = [
        path for path in (ROOT / "build" / "native").glob("*") if (path / "build.ninja").is_file()
    ]
    objects = [
        path for build in builds for path in build.glob("CMakeFiles/chainrule_core_avx*/**/*.o")
    ]
    if not objects or shutil.which("nm") is None:
        pytest.skip("no objects of an editable install's core, or no nm to read them with")
    for path in objects:
        listing = subprocess.run(
            ["nm", "--demangle", "--defined-only", str(path)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        shared = [line for line in listing.splitlines() if re.match(r"\w+ [WTu] ", line)]
        assert all("::avx2::" in line or "::avx512::" in line for line in shared), (path, shared)
