"""Rules of rows that visit some rows of a table: indices that name the same row count together."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from chainrule.run.jax.emission import Place, Rule


def numbered_rows(indices: Any, height: int) -> tuple[Any, Any]:
    """(whether each index is the first that names its row, for each the number of its row)."""
    wrapped = jnp.where(indices < 0, indices + height, indices)
    order = jnp.argsort(wrapped, stable=True)
    ordered = wrapped[order]
    begins = jnp.concatenate([jnp.ones(min(indices.size, 1), bool), ordered[1:] != ordered[:-1]])
    first = jnp.zeros(indices.shape, bool).at[order].set(begins)
    number = jnp.zeros(indices.shape, jnp.int64).at[order].set(jnp.cumsum(begins) - 1)
    return first, number


def combine_rows(at: Place, indices: Any, rows: Any, height: int) -> Any:
    _, number = numbered_rows(indices, height)
    return jnp.zeros_like(rows).at[number].add(rows)[number]


def first_rows(at: Place, indices: Any, height: int) -> Any:
    return numbered_rows(indices, height)[0]


def put_rows(at: Place, x: Any, indices: Any, rows: Any) -> Any:
    height = x.shape[0]
    indices = at.bound(1, indices, 0, height)
    first, _ = numbered_rows(indices, height)
    places = jnp.where(first, jnp.where(indices < 0, indices + height, indices), height)
    return x.at[places].set(rows.astype(at.dtype), mode="drop")


TABLES: dict[str, Rule] = {
    "combine_rows": combine_rows,
    "first_rows": first_rows,
    "put_rows": put_rows,
}
