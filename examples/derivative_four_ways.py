"""One derivative found in four ways: y = ln x1 + x1 x2 - sin x2 at x1 = 2, x2 = 5.

- numerically: move an input a little and see how far y moves. Works for any code, is never exact,
  and costs two evaluations for each input;
- symbolically: rewrite the formula into formulas of its derivatives: 1/x1 + x2 and x1 - cos(x2);
- by forward mode: carry a tangent along with each value, once for each input;
- by reverse mode: send one adjoint back from y to all inputs at once. This is what trains networks.

The last three are exact, to the last digit or two. The picture shows y along each input with its
tangent, and the numeric derivative's error: a step h too large misses the curve, one too small is
lost in rounding; the best is far from exact.

Source: Baydin, Pearlmutter, Radul and Siskind, Automatic differentiation in machine learning: a
survey (2018), from where the function is.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLACK, BLUE, GREEN, GREY, ORANGE, new_figure, picture_path, save

import chainrule as cr

POINT = (2.0, 5.0)
# Calculus, with numbers from the standard library: what all four should find.
EXACT = (1 / 2 + 5, 2 - math.cos(5))
STEPS = 10.0 ** np.arange(-14, 0, 0.5)

Pair = tuple[float, float]


def f(x1: Any, x2: Any) -> Any:
    """The function, in ordinary NumPy."""
    return np.log(x1) + x1 * x2 - np.sin(x2)


def numerically() -> Pair:
    """Central differences: (f(x + h) - f(x - h)) / 2h."""
    first, second = cr.numeric_grad(f, argnums=(0, 1))(*POINT)
    return float(first), float(second)


def symbolically() -> Pair:
    """Formulas of the derivatives, evaluated at the point."""
    expression = cr.symbolic(f)
    first, second = (expression.diff(name)(*POINT) for name in expression.variables)
    return float(first), float(second)


def forward() -> Pair:
    """One pass for each input, seeded with a tangent of 1 for it and 0 for the other."""
    (_, first), (_, second) = cr.jvp(f, POINT, (1.0, 0.0)), cr.jvp(f, POINT, (0.0, 1.0))
    return float(first), float(second)


def reverse() -> Pair:
    """One pass for both inputs."""
    first, second = cr.grad(f, argnums=(0, 1))(*POINT)
    return float(first), float(second)


WAYS = {
    "numeric": (numerically, "4 evaluations"),
    "symbolic": (symbolically, "2 formulas"),
    "forward": (forward, "2 passes"),
    "reverse": (reverse, "1 pass"),
}


def errors(found: Pair) -> Pair:
    """How far each of the two derivatives is from the exact one."""
    return abs(found[0] - EXACT[0]), abs(found[1] - EXACT[1])


def draw(path: Path) -> None:
    """y along x1 and along x2 with tangents, and numeric errors against the step."""
    figure, ((first, second, right),) = new_figure(1, 3, 13, 4.2)
    slopes = reverse()
    for number, axis in enumerate((first, second)):
        along = np.linspace(POINT[number] - 1.8, POINT[number] + 1.8, 200)
        y = f(along, POINT[1]) if number == 0 else f(POINT[0], along)
        tangent = f(*POINT) + slopes[number] * (along - POINT[number])
        axis.plot(along, y, color=BLUE, label="y")
        axis.plot(along, tangent, "--", color=ORANGE, label=f"tangent, slope {slopes[number]:.3f}")
        axis.plot(POINT[number], f(*POINT), "o", color=BLACK, markersize=8)
        other = f"$x_{2 - number} = {POINT[1 - number]:.0f}$"
        axis.set(title=f"y along $x_{number + 1}$, with {other}", xlabel=f"$x_{number + 1}$")
        axis.legend(loc="upper left")
    first.set_ylabel("y")

    # "forward" is the name of the one-sided difference, which has nothing to do with forward mode.
    for method, colour, marker in (("forward", ORANGE, "o"), ("central", BLUE, "s")):
        missed = []
        for h in STEPS:
            quotient = cr.numeric_grad(f, argnums=(0, 1), h=h, method=method)(*POINT)
            missed.append(max(*errors(quotient), 1e-17))
        label = "central difference" if method == "central" else "one-sided difference"
        right.loglog(STEPS, missed, marker + "-", color=colour, markersize=4, label=label)
    right.axhline(np.finfo(float).eps, color=GREEN, linestyle="--")
    note = "forward and reverse mode, symbolic: rounding only"
    right.text(1, np.finfo(float).eps * 0.6, note, color=GREEN, ha="right", va="top", fontsize=9)
    right.set(title="Error of the numeric derivative", xlabel="step h", ylim=(1e-17, 3))
    right.grid(alpha=0.3, color=GREY)
    right.legend(loc="upper center")
    save(figure, path)


def main() -> None:
    """Find the derivatives, print them side by side, draw."""
    path = picture_path(__doc__, "derivative_four_ways.png")
    expression = cr.symbolic(f)
    print(f"y       = {expression} = {float(f(*POINT)):.6f} at x1 = 2, x2 = 5")
    for name in expression.variables:
        print(f"dy/d{name}  = {expression.diff(name)}")
    print(f"\n{'way':10}{'dy/dx1':>20}{'dy/dx2':>20}{'largest error':>16}   cost")
    for name, (way, cost) in WAYS.items():
        found = way()
        print(f"{name:10}{found[0]:20.15f}{found[1]:20.15f}{max(errors(found)):16.1e}   {cost}")
    draw(path)


if __name__ == "__main__":
    main()
