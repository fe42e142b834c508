"""What the example scripts share: their options, their colours, and figures without a display.

Nothing here is about learning; read xor.py, flight.py and the others. Run as a script, this file
does nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path
from typing import Any

# Training is shortened where this variable is set, so that all scripts can be tried in seconds.
QUICK = os.environ.get("CHAINRULE_QUICK", "") not in ("", "0")

# Colours that people with any kind of colour vision can tell apart. Okabe and Ito, Color universal
# design (2008). In every script, blue is class 0 or the first thing compared, orange the second.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, GREY, BLACK = "#56B4E9", "#E69F00", "#999999", "#222222"


def picture_path(description: str | None, default: str) -> Path:
    """Read the command line: where the picture goes, checked before anything is trained.

    Args:
        description: the script's docstring, shown by ``--help``.
        default: the picture's name in the current directory, where ``--output`` does not say.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="With CHAINRULE_QUICK=1 in the environment, training is shortened.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(default),
        metavar="PATH",
        help=f"where to write the picture (default: {default}); the ending chooses the format",
    )
    path: Path = parser.parse_args().output
    if importlib.util.find_spec("matplotlib") is None:
        raise SystemExit("error: the picture needs matplotlib: pip install 'chainrule[examples]'")
    if not path.parent.is_dir():
        parser.error(f"there is no directory {path.parent}")
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        parser.error(f"the picture {path} should end in .png, .svg or .pdf")
    return path


def new_figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    """(figure, array of axes), in the style of all pictures; width and height are in inches."""
    import matplotlib

    matplotlib.use("Agg")  # Draws into files and never looks for a display.
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 11,
            "axes.labelsize": 10,
            "font.size": 10,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "savefig.dpi": 140,
        }
    )
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False)


def class_colours() -> Any:
    """A light colour map from blue (0) through white (1/2) to orange (1), for probabilities."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("classes", ["#7DB8E0", "#FFFFFF", "#F0A878"])


def save(figure: Any, path: Path) -> None:
    """Write the figure and say where it is."""
    import matplotlib.pyplot as plt

    try:
        figure.savefig(path)
    except OSError as error:
        raise SystemExit(f"error: {path} could not be written: {error.strerror}") from error
    plt.close(figure)
    print(f"\nThe picture is in {path}")
