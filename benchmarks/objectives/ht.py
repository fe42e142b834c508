"""Hand tracking: a hand of 22 bones in a pose, and how far measured points lie from its skin.

The pose is 26 numbers: a rotation (axis times angle), a translation, and for each finger the bends
of its three joints and the spread of the first. Bones move the vertices of a mesh, each by a
weight. A measured point corresponds to a triangle, and to a place in it, given by two more
variables u. The Jacobian has 26 columns that are full and two entries in each row besides.

Source: J. Taylor and others, User-specific hand modeling from monocular depth sequences (2014);
ADBench's data format gives the order of bones and angles. The hand here is generated.
"""

from __future__ import annotations

from typing import Any

import numpy

from objectives.problem import Library, Problem, generator

FINGERS, JOINTS, POSE = 5, 4, 26


def turns(np: Any, x: Any, y: Any, z: Any) -> Any:
    """Rotations about the x axis, then y, then z: (..., 3, 3) for angles of shape (...)."""
    cx, cy, cz, sx, sy, sz = np.cos(x), np.cos(y), np.cos(z), np.sin(x), np.sin(y), np.sin(z)
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def turn_about(np: Any, axis: Any) -> Any:
    """The rotation about an axis by its length."""
    angle = np.sqrt(np.sum(axis**2))
    x, y, z = axis[0] / angle, axis[1] / angle, axis[2] / angle
    s, c = np.sin(angle), np.cos(angle)
    rows = [
        [x * x + (1 - x * x) * c, x * y * (1 - c) - z * s, x * z * (1 - c) + y * s],
        [x * y * (1 - c) + z * s, y * y + (1 - y * y) * c, y * z * (1 - c) - x * s],
        [x * z * (1 - c) - y * s, z * y * (1 - c) + x * s, z * z + (1 - z * z) * c],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def skin(np: Any, pose: Any, relatives: Any, inverses: Any, vertices: Any, weights: Any) -> Any:
    """(3, V): the vertices of the mesh in a pose.

    Args:
        np: a module like NumPy.
        pose: (26,).
        relatives, inverses: (22, 4, 4), each bone's place in its parent's frame, and the inverse
            of its place in the hand's frame.
        vertices: (4, V), with a last row of ones.
        weights: (22, V), how much each bone moves each vertex.
    """
    angles = pose[6:].reshape(FINGERS, JOINTS)
    none = np.zeros((FINGERS, 1))
    bends = np.concatenate([none, angles[:, :1], angles[:, 2:]], axis=1)
    spreads = np.concatenate([none, angles[:, 1:2], none, none], axis=1)
    bones = relatives[1:-1].reshape(FINGERS, JOINTS, 4, 4)
    turned = bones[..., :3] @ turns(np, bends, np.zeros((FINGERS, JOINTS)), spreads)
    bones = np.concatenate([turned, bones[..., 3:]], axis=-1)
    places = []
    for joint in range(JOINTS):
        places.append((relatives[0] if joint == 0 else places[-1]) @ bones[:, joint])
    fingers = np.stack(places, axis=1).reshape(FINGERS * JOINTS, 4, 4)
    forearm = relatives[0] @ relatives[-1]
    absolute = np.concatenate([relatives[:1], fingers, forearm[None]], axis=0)
    moved = (absolute @ inverses)[:, :3] @ vertices
    skinned = np.sum(moved * weights[:, None], axis=0)
    return turn_about(np, pose[:3]) @ skinned + pose[3:6][:, None]


def value(
    library: Library, pose: Any, places: Any, points: Any, relatives: Any, inverses: Any,
    vertices: Any, weights: Any, corners: Any,
) -> Any:  # fmt: skip
    """The distances, point by point.

    Args:
        library: what it is computed with.
        pose: (26,).
        places: (N, 2), coordinates in triangles.
        points: (N, 3), measured.
        relatives, inverses, vertices, weights: the hand; see ``skin``.
        corners: (N, 3), the vertices of each point's triangle.
    """
    np = library.numpy
    mesh = skin(np, pose, relatives, inverses, vertices, weights).T
    u, v = places[:, :1], places[:, 1:]
    nearest = u * mesh[corners[:, 0]] + v * mesh[corners[:, 1]] + (1 - u - v) * mesh[corners[:, 2]]
    return (points - nearest).reshape(-1)


class TorchAsNumPy:
    """The few functions that ``skin`` needs, with PyTorch's names for axes."""

    def __init__(self, torch: Any) -> None:
        self.cos, self.sin, self.sqrt = torch.cos, torch.sin, torch.sqrt
        self.zeros = torch.zeros
        self.stack = lambda parts, axis: torch.stack(parts, dim=axis)
        self.concatenate = lambda parts, axis: torch.cat(parts, dim=axis)
        self.sum = lambda x, axis=None: torch.sum(x) if axis is None else torch.sum(x, dim=axis)


def value_in_torch(torch: Any, *arrays: Any) -> Any:
    """The same with PyTorch."""
    *others, corners = arrays
    library = Library(TorchAsNumPy(torch), None)
    return value(library, *others, torch.from_numpy(corners))


def pattern(points: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Rows and columns of what can differ from zero: in each row 26, then two."""
    row = numpy.arange(3 * points)
    columns = numpy.concatenate([
        numpy.broadcast_to(numpy.arange(POSE), (len(row), POSE)),
        POSE + 2 * (row // 3)[:, None] + numpy.arange(2),
    ], axis=1)  # fmt: skip
    return numpy.repeat(row, POSE + 2), columns.ravel()


def problem(points: int, vertices: int) -> Problem:
    """A generated hand: bones in random directions, weights mostly of a vertex's nearest bones."""
    rng = generator()
    bones = FINGERS * JOINTS + 2
    frames = numpy.tile(numpy.eye(4), (bones, 1, 1))
    frames[:, :3, :3] = turns(numpy, *rng.normal(size=(3, bones)) / 2)
    frames[:, :3, 3] = rng.normal(size=(bones, 3))
    absolute = frames.copy()
    for bone in range(1, bones):
        parent = 0 if bone == bones - 1 or bone % JOINTS == 1 else bone - 1
        absolute[bone] = absolute[parent] @ frames[bone]
    mesh = numpy.ones((4, vertices))
    mesh[:3] = rng.normal(size=(3, vertices)) * 2
    weights = rng.random((bones, vertices)) ** 8
    weights /= weights.sum(0)
    corners = rng.integers(0, vertices, (2 * vertices, 3))[rng.integers(0, 2 * vertices, points)]
    return Problem(
        "ht", f"{points} points, {vertices} vertices", "jacobian",
        (rng.normal(size=POSE) / 3, rng.random((points, 2)) / 2),
        (rng.normal(size=(points, 3)), frames, numpy.linalg.inv(absolute), mesh, weights),
        lambda library, *arrays: value(library, *arrays, corners),
        lambda torch, *arrays: value_in_torch(torch, *arrays, corners),
        bound=None,
        groups=(numpy.arange(POSE), numpy.tile(POSE + numpy.arange(2), (points, 1))),
        pattern=pattern(points),
    )  # fmt: skip


FULL = [{"points": 1000, "vertices": 544}, {"points": 25_600, "vertices": 544}]
QUICK = [{"points": 8, "vertices": 20}]
