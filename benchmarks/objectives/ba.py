"""Bundle adjustment: how far photographed points lie from where the cameras should see them.

A camera is 11 numbers: a rotation (axis times angle), its centre, the focal length, the principal
point (2) and two radial distortions. An observation is a camera, a point, a weight w and a place in
the picture. Its errors are w times the distance in both directions; that of the weight is 1 - w^2.
The Jacobian has 15 entries in each row of an observation and one in that of a weight.

Source: B. Triggs, P. McLauchlan, R. Hartley and A. Fitzgibbon, Bundle adjustment - a modern
synthesis (2000); the rotation is Rodrigues' formula.
"""

from __future__ import annotations

from typing import Any

import numpy

from .problem import Library, Problem, generator

CAMERA = 11


def rotated(np: Any, axis: Any, x: Any) -> Any:
    """Vectors turned about ``axis`` by its length, along the last axis of the arrays."""
    angle = np.sqrt(np.sum(axis**2, axis=-1))[..., None]
    n = axis / angle
    cos = np.cos(angle)
    crossed = np.stack([
        n[..., 1] * x[..., 2] - n[..., 2] * x[..., 1],
        n[..., 2] * x[..., 0] - n[..., 0] * x[..., 2],
        n[..., 0] * x[..., 1] - n[..., 1] * x[..., 0],
    ], axis=-1)  # fmt: skip
    along = np.sum(n * x, axis=-1)[..., None]
    return x * cos + crossed * np.sin(angle) + n * (along * (1 - cos))


def errors(np: Any, camera: Any, point: Any, weight: Any, feature: Any) -> Any:
    """The two errors of an observation, or of many along the first axis."""
    x = rotated(np, camera[..., :3], point - camera[..., 3:6])
    plane = x[..., :2] / x[..., 2:3]
    square = np.sum(plane**2, axis=-1)[..., None]
    plane = plane * (1 + camera[..., 9:10] * square + camera[..., 10:11] * square**2)
    place = plane * camera[..., 6:7] + camera[..., 7:9]
    return weight[..., None] * (place - feature)


def value(
    library: Library, cameras: Any, points: Any, weights: Any, features: Any, seen: Any
) -> Any:
    """All errors in one vector: those of the observations, then those of the weights.

    Args:
        library: what it is computed with.
        cameras, points, weights: (N, 11), (M, 3), (P,).
        features: (P, 2), places in pictures.
        seen: (P, 2), camera and point of each observation.
    """
    np = library.numpy
    found = errors(np, cameras[seen[:, 0]], points[seen[:, 1]], weights, features)
    return np.concatenate([found.reshape(-1), 1 - weights**2])


def value_in_torch(
    torch: Any, cameras: Any, points: Any, weights: Any, features: Any, seen: Any
) -> Any:
    """The same with PyTorch, which knows all the functions by NumPy's names but one argument."""
    cameras, points = cameras[torch.from_numpy(seen[:, 0])], points[torch.from_numpy(seen[:, 1])]
    found = errors_in_torch(torch, cameras, points, weights, features)
    return torch.cat([found.reshape(-1), 1 - weights**2])


def errors_in_torch(torch: Any, camera: Any, point: Any, weight: Any, feature: Any) -> Any:
    """``errors`` with PyTorch's functions."""
    axis, x = camera[..., :3], point - camera[..., 3:6]
    angle = torch.linalg.vector_norm(axis, dim=-1, keepdim=True)
    n = axis / angle
    cos = torch.cos(angle)
    along = torch.sum(n * x, dim=-1, keepdim=True)
    x = x * cos + torch.linalg.cross(n, x) * torch.sin(angle) + n * (along * (1 - cos))
    plane = x[..., :2] / x[..., 2:3]
    square = torch.sum(plane**2, dim=-1, keepdim=True)
    plane = plane * (1 + camera[..., 9:10] * square + camera[..., 10:11] * square**2)
    place = plane * camera[..., 6:7] + camera[..., 7:9]
    return weight[..., None] * (place - feature)


def problem(cameras: int, points: int, observations: int) -> Problem:
    """Cameras that look at a cloud of points; observation i is of camera i mod N, point i mod M."""
    rng = generator()
    turns = rng.normal(size=(cameras, 3)) / 10
    centres = rng.normal(loc=(0, 0, -20), size=(cameras, 3))
    lenses = rng.normal((500, 0, 0, 0, 0), (50, 5, 5, 1e-2, 1e-3), size=(cameras, 5))
    seen = numpy.arange(observations)[:, None] % [cameras, points]
    return Problem(
        "ba", f"{cameras} cameras, {points} points, {observations} observations", "jacobian",
        (
            numpy.concatenate([turns, centres, lenses], axis=1),
            rng.normal(size=(points, 3)),
            rng.random(observations) + 0.5,
        ),
        (rng.normal(size=(observations, 2)) * 50,),
        lambda library, *arrays: value(library, *arrays, seen),
        lambda torch, *arrays: value_in_torch(torch, *arrays, seen),
        bound=None, options={"seen": seen},
    )  # fmt: skip


def entries(jacobian: Any, problem: Problem) -> numpy.ndarray:
    """The entries of a sparse Jacobian in the order of ``pattern``."""
    rows, columns = pattern(problem)
    return numpy.asarray(jacobian.tocsr()[rows, columns]).ravel()


def pattern(problem: Problem) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Rows and columns of what can differ from zero: 15 for each error, then one a weight."""
    assert problem.options is not None
    cameras, points, weights = (len(x) for x in problem.variables)
    camera, point = problem.options["seen"].T
    observation = numpy.arange(weights)
    columns = numpy.concatenate([
        CAMERA * camera[:, None] + numpy.arange(CAMERA),
        CAMERA * cameras + 3 * point[:, None] + numpy.arange(3),
        CAMERA * cameras + 3 * points + observation[:, None],
    ], axis=1)  # fmt: skip
    rows = numpy.repeat(numpy.arange(2 * weights), columns.shape[1])
    last = CAMERA * cameras + 3 * points + observation
    return (
        numpy.concatenate([rows, 2 * weights + observation]),
        numpy.concatenate([numpy.repeat(columns, 2, axis=0).ravel(), last]),
    )


FULL = [
    {"cameras": 49, "points": 7776, "observations": 31_843},
    {"cameras": 257, "points": 65_132, "observations": 225_911},
]
QUICK = [{"cameras": 3, "points": 40, "observations": 60}]
