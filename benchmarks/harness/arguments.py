"""The options that all benchmarks have."""

from __future__ import annotations

import argparse
from pathlib import Path

# Beside the other things that are built; relative to where the command is run.
FOLDER = Path("build/benchmarks")


def common_arguments(
    description: str, examples: str, cells: str, rounds: int
) -> argparse.ArgumentParser:
    """A parser with --quick, --rounds, --cells, --fresh, --saved and --markdown.

    Args:
        description: what the benchmark measures.
        examples: command lines with what they do, for the end of --help.
        cells: the name of the file of saved cells, below build/benchmarks.
        rounds: how many rounds a full run makes.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small work and few rounds, only to see that it runs; nothing is saved",
    )
    parser.add_argument(
        "--rounds", type=_positive, metavar="N", help=f"rounds of each cell (default {rounds})"
    )
    parser.add_argument(
        "--cells",
        type=Path,
        default=FOLDER / cells,
        metavar="FILE",
        help="where finished cells are saved and resumed from (default %(default)s)",
    )
    parser.add_argument("--fresh", action="store_true", help="measure saved cells again")
    parser.add_argument(
        "--saved",
        action="store_true",
        help="measure nothing: show the newest saved cells, whatever version they are of",
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="also write the tables into a document, between the marks of this benchmark",
    )
    parser.set_defaults(full_rounds=rounds)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number
