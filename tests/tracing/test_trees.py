"""Nested values: flattened with paths, rebuilt with their types, shared objects once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.tracing.parameter import Parameter, State
from chainrule.tracing.trees import Tree


class Point(NamedTuple):
    x: Any
    y: Any


class Module:
    """The least that takes part in trees."""

    def __init__(self, **children: Any) -> None:
        self.children = children

    def tree_children(self) -> dict[str, Any]:
        return self.children

    def tree_rebuild(self, children: dict[str, Any]) -> Module:
        return Module(**children)


leaves = st.one_of(st.floats(-9, 9), st.integers(-9, 9))
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
        st.builds(Point, inner, inner),
        st.none(),
    ),
    max_leaves=12,
)


@given(nested)
def test_rebuilding_from_the_same_leaves_gives_an_equal_value(value: Any) -> None:
    tree = Tree(value)
    assert tree.rebuild(tree.leaves) == value
    assert len(set(tree.paths)) == len(tree.paths) == len(tree.leaves)


@given(nested)
def test_paths_lead_to_their_leaves(value: Any) -> None:
    tree = Tree(value)
    for leaf, path in zip(tree.leaves, tree.paths, strict=True):
        found = value
        for part in path.replace("].", "]|.").replace("][", "]|[").replace("[", "|[").split("|"):
            for step in filter(None, part.split(".")):
                if step.startswith("["):
                    key = step[1:-1]
                    found = found[key[1:-1] if key.startswith("'") else int(key)]
                else:
                    found = getattr(found, step)
        assert found is leaf or found == leaf


@pytest.mark.parametrize(
    "value, paths",
    [
        (1.0, [""]),
        ([], []),
        (None, []),
        ({"w": (1.0, [2.0])}, ["['w'][0]", "['w'][1][0]"]),
        (Point(1.0, Point(2.0, 3.0)), [".x", ".y.x", ".y.y"]),
        (Module(hidden=Module(weight=1.0), rate=2.0), [".hidden.weight", ".rate"]),
        (Parameter(1.0), [""]),
        ([Parameter(1.0, trainable=False), State(2.0), Parameter(3.0)], ["[2]"]),
        (OrderedDict(b=1.0, a=2.0), ["['b']", "['a']"]),
    ],
)
def test_paths(value: Any, paths: list[str]) -> None:
    assert Tree(value).paths == paths


def test_types_survive() -> None:
    value = {"p": Point(1.0, [2.0]), "t": (3.0, None)}
    rebuilt = Tree(value).map(lambda leaf: leaf * 10)
    assert rebuilt == {"p": Point(10.0, [20.0]), "t": (30.0, None)}
    assert isinstance(rebuilt["p"], Point)


def test_arrays_are_leaves() -> None:
    array = np.ones((2, 2))
    assert Tree([array]).leaves[0] is array


def test_shared_modules_are_flattened_once_and_shared_again() -> None:
    shared = Module(weight=1.0)
    tree = Tree({"encoder": shared, "decoder": shared})
    assert tree.leaves == [1.0]
    rebuilt = tree.rebuild([5.0])
    assert rebuilt["encoder"] is rebuilt["decoder"]
    assert rebuilt["encoder"].children == {"weight": 5.0}


def test_equal_numbers_are_not_shared() -> None:
    x = 1000.5
    assert Tree([x, x]).leaves == [x, x]


def test_map_over_several_trees() -> None:
    left, right = Tree([1.0, (2.0,)]), Tree([10.0, (20.0,)])
    assert left.map(lambda a, b: a + b, right.leaves) == [11.0, (22.0,)]


def test_frozen_parameters_pass_through() -> None:
    frozen = Parameter([1.0], trainable=False)
    assert Tree([frozen]).rebuild([])[0] is frozen


def test_parameters_behave_as_their_values() -> None:
    p = Parameter([[1.0, 2.0], [3.0, 4.0]])
    assert (p.shape, p.ndim, p.size, p.dtype, len(p)) == ((2, 2), 2, 4, np.float64, 2)
    assert (p + 1).tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert (2 * p @ p.T)[0, 0] == 10.0
    assert np.sum(p, axis=0).tolist() == [4.0, 6.0]
    assert np.concatenate([p, p]).shape == (4, 2)
    assert p[1].tolist() == [3.0, 4.0]
    assert np.asarray(p).sum() == 10.0
    assert repr(Parameter(1.0)) == "Parameter(array(1.))"
