"""Which executor runs what asks for none: the native core, or NumPy with one word about it."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import main
from chainrule.embed.tally import PlainTally, new_tally
from chainrule.errors import ExecutorWarning
from chainrule.run import default_executor, native
from chainrule.run.plan import NumpyPlan


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_EXECUTOR", raising=False)


@pytest.fixture
def without_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in which the extension cannot be imported and nobody has been told yet."""
    monkeypatch.setitem(sys.modules, "chainrule._native", None)
    caches: list[Any] = [native.why_not, native.say_missing]
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def plan_of(function: Any) -> Any:
    return function._program((np.ones(3),), {})[1].plan


@pytest.mark.skipif(not native.available(), reason="the native core is not built")
def test_the_core_is_the_default_and_the_environment_chooses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert default_executor() == "native"
        assert type(plan_of(cr.compile(np.sin))).__name__ == "NativePlan"
    monkeypatch.setenv("CHAINRULE_EXECUTOR", "numpy")
    assert type(plan_of(cr.compile(np.sin))) is NumpyPlan


def test_without_the_core_numpy_serves_and_says_so_once(without_core: None) -> None:
    with pytest.warns(ExecutorWarning, match="CHAINRULE_EXECUTOR=numpy") as told:
        assert type(plan_of(cr.compile(np.sin))) is NumpyPlan
        np.testing.assert_array_equal(cr.compile(np.cos)(np.zeros(2)), [1, 1])
    assert [warning.filename for warning in told] == [__file__]  # The line that asked for a plan.


def test_an_executor_that_is_named_needs_no_word(
    without_core: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(plan_of(cr.compile(np.sin, executor="numpy"))) is NumpyPlan
        monkeypatch.setenv("CHAINRULE_EXECUTOR", "numpy")
        assert type(plan_of(cr.compile(np.sin))) is NumpyPlan
        assert isinstance(new_tally(), PlainTally)  # Words, which have no plan.
    with pytest.raises(cr.errors.ChainruleError, match="native executor"):
        cr.compile(np.sin, executor="native")(1.0)


SOURCE = Path(cr.__file__).resolve().parent.parent
FIT = """
import sys
sys.modules["chainrule._native"] = None
from chainrule.cli.main import main
sys.exit(main(["fit", "points.csv", "--target", "y", "--epochs", "2", "--output", "m.safetensors"]))
"""


def test_a_command_tells_after_its_own_output(tmp_path: Any) -> None:
    rows = [f"{x / 50},{int(x > 50)}" for x in range(100)]
    (tmp_path / "points.csv").write_text("\n".join(["x,y", *rows]) + "\n")
    ran = subprocess.run(
        [sys.executable, "-c", FIT],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    notes = [n for n, line in enumerate(ran.stdout.splitlines()) if "native core" in line]
    assert notes == [len(ran.stdout.splitlines()) - 1]
    assert ran.stdout.splitlines()[-1].startswith("note: ")


def test_other_warnings_of_a_command_are_shown_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import chainrule.cli.main as entry

    class Shown(entry.LazyCommand):
        def load(self) -> Any:
            import click

            @click.command()
            def command() -> None:
                warnings.warn("something else", UserWarning, stacklevel=1)
                click.echo("done", err=True)

            return command

    monkeypatch.setitem(entry.COMMANDS, "shown", Shown("", "", ""))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: print(f"seen: {message}", file=sys.stderr)
        assert main(["shown"]) == 0
    assert capsys.readouterr().err.splitlines() == ["seen: something else", "done"]
