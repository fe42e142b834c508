"""The frame of the command line: help, suggestions, exit statuses, one-line errors."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import chainrule
from chainrule.cli import main as entry
from chainrule.errors import ChainruleError


def raising(error: BaseException) -> entry.LazyCommand:
    """A subcommand that raises an error when it runs."""

    @click.command()
    def command() -> None:
        raise error

    class Ready(entry.LazyCommand):
        def load(self) -> click.Command:
            return command

    return Ready("", "", "Raise an error.")


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["--help"]) == 0
    printed = capsys.readouterr().out
    for name, command in entry.COMMANDS.items():
        assert f"  {name}" in printed and command.summary in printed
    assert 'chainrule derive "ln(x1) + x1*x2 - sin(x2)" x1=2 x2=5\n' in printed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["--version"]) == 0
    assert capsys.readouterr().out == f"chainrule {chainrule.__version__}\n"


@pytest.mark.parametrize("name", list(entry.COMMANDS))
def test_command_loads_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.COMMANDS[name].load().name == name
    assert entry.main([name, "--help"]) == 0
    assert f"Usage: chainrule {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dervie"], "there is no command 'dervie'; did you mean 'derive'?"),
        (["prediction"], "there is no command 'prediction'; did you mean 'predict'?"),
        (["xyzzy"], "there is no command 'xyzzy'; choose derive, fit, "),
        (["--colour"], "No such option"),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and not captured.out


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (ChainruleError("the table has no column 'y'"), 2, "error: the table has no column 'y'\n"),
        (
            PermissionError(13, "Permission denied", "out.csv"),
            2,
            "error: out.csv: Permission denied\n",
        ),
        (click.BadParameter("must be positive"), 2, "Error: Invalid value: must be positive\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.exceptions.Exit(3), 3, ""),
    ],
)
def test_errors_become_a_line_and_a_status(
    error: BaseException,
    status: int,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CHAINRULE_DEBUG", raising=False)
    monkeypatch.setitem(entry.COMMANDS, "fail", raising(error))
    assert entry.main(["fail"]) == status
    captured = capsys.readouterr()
    assert captured.err.lstrip("\n").endswith(printed) and "Traceback" not in captured.err
    assert not captured.out


def test_an_unforeseen_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(entry.COMMANDS, "fail", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        entry.main(["fail"])


def test_debugging_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHAINRULE_DEBUG", "1")
    monkeypatch.setitem(entry.COMMANDS, "fail", raising(ChainruleError("no such column")))
    assert entry.main(["fail"]) == 2
    printed = capsys.readouterr().err
    assert "Traceback" in printed and printed.endswith("error: no such column\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes close differently elsewhere")
@pytest.mark.parametrize("write", ["click.echo", "print"])
def test_a_closed_pipe_is_quiet(write: str) -> None:
    code = (
        "import click, sys\n"
        "from chainrule.cli import main as entry\n"
        "@click.command()\n"
        "def late():\n"
        "    click.echo('first')\n"
        "    sys.stdin.readline()\n"
        f"    {write}('second')\n"
        "entry.LazyCommand.load = lambda self: late\n"
        "sys.exit(entry.main(['demo']))\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe
    ) as child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == b"first\n"
        child.stdout.close()
        child.stdin.close()
        printed = child.stderr.read()
    assert (child.returncode, printed) == (entry.EXIT_BROKEN_PIPE, b"")


def interrupting(folder: Path, library: str) -> dict[str, str]:
    """An environment in which Ctrl-C is pressed while a library is being imported."""
    (folder / f"{library}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    )
    places = [str(folder), str(Path(chainrule.__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


@pytest.mark.skipif(os.name != "posix", reason="signals are sent differently elsewhere")
@pytest.mark.parametrize("library", ["numpy", "click", "rich"])
@pytest.mark.parametrize("as_script", [False, True])
def test_ctrl_c_during_imports_is_one_line(library: str, as_script: bool, tmp_path: Path) -> None:
    command = tmp_path / "chainrule"
    command.write_text(
        "import sys\nfrom chainrule.cli.main import main\nsys.exit(main())\n", encoding="utf-8"
    )
    how = [str(command)] if as_script else ["-m", "chainrule"]
    finished = subprocess.run(
        # Where a shell has it run in the background, Ctrl-C is ignored until it is not.
        [sys.executable, "-c", RESTORED, *how, "demo"],
        env=interrupting(tmp_path, library),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (130, "\ninterrupted\n")


RESTORED = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent differently elsewhere")
def test_ctrl_c_during_the_import_of_the_package_alone_is_an_exception(tmp_path: Path) -> None:
    code = "try:\n    import chainrule\nexcept KeyboardInterrupt:\n    print('caught')\n"
    (tmp_path / "own.py").write_text(code, encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, "-c", RESTORED, str(tmp_path / "own.py")],
        env=interrupting(tmp_path, "numpy"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (0, "caught\n"), finished.stderr
