"""Programs on several threads: the same numbers, nobody waits for ever, and settings that hold."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.functions as F
from chainrule import nn
from chainrule.errors import ChainruleError
from chainrule.run import native
from chainrule.run import threads as settings
from chainrule.train import fit

pytestmark = pytest.mark.skipif(not native.available(), reason="the native core is not built")

RANDOM = np.random.default_rng(0)


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(dtype)


ROWS = RANDOM.integers(0, 500, 40_000)
# Each so large that its loops are cut into pieces.
CASES: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "chain": (lambda x, y: np.tanh(x * y) + np.exp(-x * x), (normal(70_001), normal(70_001))),
    "chain of columns": (lambda x: np.sin(x.T) * 2.0, (normal(300, 211),)),
    "several results": (lambda x: (np.exp(x), np.sqrt(np.abs(x))), (normal(50_003),)),
    "sums of rows": (lambda x: np.sum(x, axis=1), (normal(700, 301),)),
    "sums of columns": (lambda x: np.sum(x, axis=0), (normal(700, 301),)),
    "sum of all": (lambda x: np.sum(x), (normal(400_000),)),
    "largest": (lambda x: np.max(x, axis=-1), (normal(20, 30, 400),)),
    "softmax": (lambda x: F.softmax(x), (normal(500, 37),)),
    "running sums": (lambda x: np.cumsum(x, axis=1), (normal(500, 137),)),
    "product, wide": (lambda a, b: a @ b, (normal(40, 90), normal(90, 700))),
    "product, high": (lambda a, b: a @ b, (normal(701, 90), normal(90, 40))),
    "product, turned": (lambda a, b: a.T @ b.T, (normal(90, 301), normal(200, 90))),
    # Strips of a few columns, which by themselves would be computed in another way.
    "product, two columns left": (lambda a, b: a @ b, (normal(120, 300), normal(300, 450))),
    "product, turned, two left": (lambda a, b: a.T @ b, (normal(400, 100), normal(400, 450))),
    "product, tall": (lambda a, b: a.T @ b, (normal(900, 701), normal(900, 10))),
    "product, float64": (
        lambda a, b: a @ b,
        (normal(130, 90, dtype=float), normal(90, 130, dtype=float)),
    ),
    "stack of products": (lambda a, b: a @ b, (normal(40, 30, 30), normal(40, 30, 30))),
    "layer": (lambda x, w, b: F.relu(x @ w + b), (normal(200, 80), normal(80, 150), normal(150))),
    "rows of a table": (lambda x: x[ROWS], (normal(500, 24),)),
    "rows added": (lambda x: cr.grad(lambda t: np.sum(t[ROWS] ** 2))(x), (normal(500, 24),)),
}  # fmt: skip


def results(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("name", CASES)
def test_the_same_bits_for_any_number_of_threads(name: str) -> None:
    import chainrule._native as core

    function, arguments = CASES[name]
    expected = cr.compile(function, executor="native", threads=1)(*arguments)
    before = core.loops_on_threads()
    for threads in (2, 3, 5):
        run = cr.compile(function, executor="native", threads=threads)
        for _ in range(20):
            found = run(*arguments)
            for a, b in zip(results(found), results(expected), strict=True):
                np.testing.assert_array_equal(a, b)
    if name in ("rows added", "sum of all"):
        return
    # On a busy machine the pool stays out of the way for a while.
    for _ in range(1000):
        if core.loops_on_threads() > before:
            break
        time.sleep(0.005)
        run = cr.compile(function, executor="native", threads=2)
        run(*arguments)
    assert core.loops_on_threads() > before


def trained(threads: int, **options: Any) -> tuple[list[float], list[np.ndarray]]:
    net = nn.Sequential(
        nn.Dense(60, 200, seed=0), nn.ReLU(), nn.Dropout(0.3), nn.Dense(200, 5, seed=1)
    )
    data = np.random.default_rng(0)
    inputs = data.normal(size=(2000, 60)).astype(np.float32)
    history = fit(net, "cross_entropy", (inputs, data.integers(0, 5, 2000)), batch_size=128,
                  epochs=3, progress=False, executor="native", threads=threads,
                  **options)  # fmt: skip
    return history.losses, [p.value for p in net.parameters().values()]


@pytest.mark.parametrize("options", [{}, {"clip": 0.5}, {"regulariser": nn.L2(1e-3)}])
def test_the_same_training_for_any_number_of_threads(options: dict[str, Any]) -> None:
    losses, values = trained(1, **options)
    for threads in (2, 4):
        other, others = trained(threads, **options)
        assert other == losses
        for a, b in zip(others, values, strict=True):
            np.testing.assert_array_equal(a, b)


def test_products_of_blas_depend_on_the_number_only() -> None:
    a, b = normal(600, 500), normal(500, 700)
    for threads in (1, 2, 3):
        run = cr.compile(lambda x, y: x @ y, executor="native", threads=threads)
        first = run(a, b)
        np.testing.assert_allclose(first, a @ b, rtol=1e-4, atol=1e-4)
        for _ in range(20):
            np.testing.assert_array_equal(run(a, b), first)


def test_scipys_blas_has_one_thread_while_the_core_uses_it() -> None:
    from chainrule.run.native.blas import load_blas, one_blas_thread

    assert load_blas() == ""
    from threadpoolctl import threadpool_info, threadpool_limits

    def counts(of: str) -> list[int]:
        """The threads of the libraries that lie in a folder of that name."""
        return [
            each["num_threads"]
            for each in threadpool_info()
            if each["user_api"] == "blas" and of in os.path.dirname(each["filepath"])
        ]

    if not counts("scipy"):
        pytest.skip("SciPy has no BLAS of its own here")
    with threadpool_limits(limits=2, user_api="blas"):
        inside, leave = threading.Event(), threading.Event()

        def other() -> None:
            with one_blas_thread():
                inside.set()
                leave.wait()

        with one_blas_thread():
            thread = threading.Thread(target=other)
            thread.start()
            inside.wait()
            assert counts("scipy") == [1]
            assert counts("numpy") in ([], [2]), "NumPy's own is nobody's business"
        leave.set()
        thread.join()
        assert counts("scipy") == [2]
        with pytest.raises(ZeroDivisionError), one_blas_thread():
            raise ZeroDivisionError
        assert counts("scipy") == [2]


def test_an_index_out_of_bounds_in_one_of_the_pieces() -> None:
    run = cr.compile(lambda x, i: x[i], executor="native", threads=3)
    table, rows = normal(500, 24), ROWS.copy()
    rows[31_000], rows[39_000] = 500, 700
    for _ in range(5):
        with pytest.raises(IndexError, match="index 500 is out of bounds for axis 0 with size 500"):
            run(table, rows)
        np.testing.assert_array_equal(run(table, ROWS), table[ROWS])


def test_programs_of_several_python_threads() -> None:
    """One program each, and one that all share."""
    x = normal(60_000)
    shared = cr.compile(lambda v: np.sum(np.exp(v * 0.5)), executor="native", threads=2)
    expected, wrong = shared(x), []

    def work(number: int) -> None:
        own = cr.compile(lambda v: np.tanh(v) * float(number), executor="native", threads=2)
        reference = own(x)
        for _ in range(30):
            if shared(x) != expected or not np.array_equal(own(x), reference):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(1, 6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


FORKING = """
import os, threading, warnings
import numpy as np
import chainrule as cr
warnings.simplefilter("ignore")
x = np.linspace(-2, 2, 200_000).astype(np.float32)
run = cr.compile(lambda v: np.tanh(v) * v, executor="native", threads=2)
expected = run(x)
busy = cr.compile(lambda v: np.exp(-v * v), executor="native", threads=2)
busy(x)
stop = threading.Event()

def work():
    while not stop.is_set():
        busy(x)

thread = threading.Thread(target=work)
thread.start()
for _ in range(20):
    run(x)
    child = os.fork()
    if child == 0:
        good = all(np.array_equal(run(x), expected) for _ in range(10))
        os._exit(0 if good else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
stop.set()
thread.join()
assert np.array_equal(run(x), expected)
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_after_fork_has_threads_of_its_own() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=300, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == ["done"]


# ----- settings ---------------------------------------------------------------------------------


@pytest.fixture
def _default(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in settings.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings, "_chosen", None)
    settings._default.cache_clear()
    yield
    settings._default.cache_clear()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CHAINRULE_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"CHAINRULE_THREADS": "1", "OMP_NUM_THREADS": "5"}, 1),
        ({"CHAINRULE_THREADS": ""}, settings.available_cores()),
    ],
)
def test_the_environment_decides(
    variables: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch, _default: None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cr.threads() == expected


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "257"])
def test_an_environment_that_makes_no_sense(
    value: str, monkeypatch: pytest.MonkeyPatch, _default: None
) -> None:
    monkeypatch.setenv("CHAINRULE_THREADS", value)
    with pytest.raises(ChainruleError, match="the environment variable CHAINRULE_THREADS is"):
        cr.threads()


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "2", 1000])
def test_numbers_that_make_no_sense(value: Any) -> None:
    with pytest.raises(ChainruleError, match="whole number from 1 to 256"):
        cr.threads(value)
    with pytest.raises(ChainruleError, match="whole number from 1 to 256"):
        cr.compile(np.sin, executor="native", threads=value)(1.0)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000\n"}, float("inf")),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, float("inf")),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3.0),
        ({}, float("inf")),
    ],
)
def test_the_quota_of_a_container(files: dict[str, str], expected: float, tmp_path: Any) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert settings.quota(tmp_path) == expected
