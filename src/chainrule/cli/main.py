"""The entry point of the ``chainrule`` command.

The subcommands are a table of names. ``chainrule --help`` prints the table and imports none of
them, so that help and completion stay quick however much the subcommands load.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from chainrule import __version__, loading
from chainrule.errors import ChainruleError, ExecutorWarning, one_line

EXIT_USER_ERROR = 2
EXIT_BROKEN_PIPE = 1  # as click leaves when it meets one itself


@dataclass(frozen=True)
class LazyCommand:
    """Where a subcommand is found, and what ``chainrule --help`` says about it.

    Arguments:
        module: the full name of the module that defines the command.
        attribute: the name of the ``click`` command in that module.
        summary: one line for the list of commands.
    """

    module: str
    attribute: str
    summary: str

    def load(self) -> click.Command:
        """Import the module and return the command."""
        command = getattr(importlib.import_module(self.module), self.attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.module}.{self.attribute} is not a click command")
        return command


COMMANDS: dict[str, LazyCommand] = {
    "derive": LazyCommand(
        "chainrule.cli.derive", "derive", "Show every value and derivative of a formula."
    ),
    "fit": LazyCommand("chainrule.cli.fit", "fit", "Train a network on a CSV or Parquet table."),
    "predict": LazyCommand(
        "chainrule.cli.predict", "predict", "Predict the rows of a table with a saved model."
    ),
    "embed": LazyCommand("chainrule.cli.embed", "embed", "Learn vectors of words from a text."),
    "demo": LazyCommand(
        "chainrule.cli.demo", "demo", "Will my flight be delayed? Train on real flights."
    ),
    "similar": LazyCommand(
        "chainrule.cli.similar", "similar", "Print the words that are most like given words."
    ),
    "analogy": LazyCommand(
        "chainrule.cli.analogy", "analogy", "Answer questions such as king - man + woman."
    ),
    "evaluate": LazyCommand(
        "chainrule.cli.evaluate", "evaluate", "Measure word vectors: similarities and analogies."
    ),
    "data": LazyCommand("chainrule.cli.data", "data", "Fetch texts to learn word vectors from."),
}

EPILOG = """\
\b
Examples:
  chainrule derive "ln(x1) + x1*x2 - sin(x2)" x1=2 x2=5
  chainrule fit flights.csv --target delayed --output flights.safetensors
  chainrule predict flights.safetensors tomorrow.csv
  chainrule embed wiki.txt.xz -o wiki.safetensors

`chainrule COMMAND --help` explains one command. CHAINRULE_DEBUG=1 shows the traceback of an error.
"""


class LazyGroup(click.Group):
    """A group whose subcommands are imported only when one of them runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand, or ``None`` where there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else entry.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand that the arguments name, or suggest the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            nearest = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"choose {_choices()}."
            ctx.fail(f"there is no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)


def _choices() -> str:
    *first, last = COMMANDS
    return f"{', '.join(first)} or {last}"


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="chainrule %(version)s")
def cli() -> None:
    """Neural networks you can see through.

    Differentiate a formula step by step, train a network on a table of your own, or learn vectors
    of words from a text.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``chainrule`` command and return its exit status.

    What the user can mend is one line on standard error, without a traceback. With
    ``CHAINRULE_DEBUG=1`` in the environment the traceback is printed above it.

    Arguments:
        arguments: the words after ``chainrule``; those of the process by default.

    Returns:
        0 on success, 2 for wrong usage or input, 130 after Ctrl-C, 1 where the reader of standard
        output has gone, or the status that a subcommand chose.

    >>> main(["--version"])
    chainrule ...
    0
    """
    try:
        loading.end()
        with _notes_at_the_end():
            result = cli.main(
                args=None if arguments is None else list(arguments),
                prog_name="chainrule",
                standalone_mode=False,
            )
            sys.stdout.flush()
    except click.ClickException as error:
        _show_traceback_when_debugging()
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _show_traceback_when_debugging()
        _complain("interrupted")
        return loading.INTERRUPTED
    except BrokenPipeError:
        return _leave_broken_pipe()
    except ChainruleError as error:
        return _report(str(error))
    except OSError as error:
        # The disk is full, a directory is not writable: the user's to mend, and it names the file.
        if error.strerror is None:
            raise
        return _report(one_line(error))
    except MemoryError as error:
        return _report(f"there is not enough memory: {error}" if str(error) else "out of memory")
    return result if isinstance(result, int) else 0


@contextmanager
def _notes_at_the_end() -> Iterator[None]:
    """Keep the warning about a slow executor until the command has printed what it prints."""
    notes: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_or_keep(message: Any, category: Any, *details: Any, **more: Any) -> None:
            if issubclass(category, ExecutorWarning):
                notes.append(str(message))
            else:
                show(message, category, *details, **more)

        warnings.showwarning = show_or_keep
        yield
    for note in notes:
        _complain(f"note: {note}")


def _report(message: str) -> int:
    """Print one error for the user; return the exit status that goes with it."""
    _show_traceback_when_debugging()
    _complain(f"error: {message}")
    return EXIT_USER_ERROR


def _complain(text: str) -> None:
    """Print what does not belong to the output; nothing where nobody reads that."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        from chainrule.cli.unread import silence

        silence(sys.stderr.fileno())


def _show_traceback_when_debugging() -> None:
    if os.environ.get("CHAINRULE_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()


def _leave_broken_pipe() -> int:
    """Silence what Python would still write to a reader that has gone, such as ``head``."""
    from chainrule.cli.unread import silence

    silence(sys.stdout.fileno())
    return EXIT_BROKEN_PIPE
