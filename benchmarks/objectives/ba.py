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

from objectives.problem import Library, Problem, generator

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


def pattern(cameras: int, points: int, seen: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Rows and columns of the Jacobian's entries: 15 for each error, then one a weight."""
    count = len(seen)
    observation = numpy.arange(count)
    first_point, first_weight = CAMERA * cameras, CAMERA * cameras + 3 * points
    columns = numpy.concatenate([
        CAMERA * seen[:, :1] + numpy.arange(CAMERA),
        first_point + 3 * seen[:, 1:] + numpy.arange(3),
        first_weight + observation[:, None],
    ], axis=1)  # fmt: skip
    rows = numpy.repeat(numpy.arange(2 * count), columns.shape[1])
    return (
        numpy.concatenate([rows, 2 * count + observation]),
        numpy.concatenate([numpy.repeat(columns, 2, axis=0).ravel(), first_weight + observation]),
    )


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
        bound=None,
        groups=(
            numpy.tile(numpy.arange(CAMERA), (cameras, 1)),
            numpy.tile(CAMERA + numpy.arange(3), (points, 1)),
            numpy.full(observations, CAMERA + 3),
        ),
        pattern=pattern(cameras, points, seen),
    )  # fmt: skip


FULL = [{"cameras": 49, "points": 7776, "observations": 31_843}]
QUICK = [{"cameras": 3, "points": 40, "observations": 60}]
