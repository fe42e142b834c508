"""Random numbers on the device: Philox4x64-10, the same bits that NumPy draws.

Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011), section
3.2 and table 2. As in NumPy, the counter is raised before the first block is drawn.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.run.jax.emission import Place

ROUNDS = 10
MULTIPLIERS = (np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157))
INCREMENTS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B))
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def high_product(a: Any, b: Any) -> Any:
    """The upper 64 of the 128 bits of a product, from products of halves."""
    a_low, a_high, b_low, b_high = a & LOW, a >> HALF, b & LOW, b >> HALF
    middle = a_high * b_low + ((a_low * b_low) >> HALF)
    other = a_low * b_high + (middle & LOW)
    return a_high * b_high + (middle >> HALF) + (other >> HALF)


def random_bits(seed: Any, stream: Any, step: Any, count: int) -> Any:
    """``count`` words of 64 random bits."""
    blocks = -(-count // 4)
    zeros = jnp.zeros(blocks, jnp.uint64)
    counter = (jnp.arange(1, blocks + 1, dtype=jnp.uint64), zeros, zeros, zeros + step)

    def one_round(number: Any, counter: Any) -> Any:
        a, b, c, d = counter
        raised = number.astype(jnp.uint64)
        return (
            high_product(MULTIPLIERS[1], c) ^ b ^ (seed + raised * INCREMENTS[0]),
            MULTIPLIERS[1] * c,
            high_product(MULTIPLIERS[0], a) ^ d ^ (stream + raised * INCREMENTS[1]),
            MULTIPLIERS[0] * a,
        )

    # A loop: written out, the compiler computes all rounds anew for each word of a block.
    counter = lax.fori_loop(0, ROUNDS, one_round, counter)
    return jnp.stack(counter, -1).reshape(-1)[:count]


def random_uniform(at: Place, key: Any, stream: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """Numbers in [0, 1): the top 53 bits of a word (24 for float32) as a fraction."""
    digits = 24 if at.dtype == np.float32 else 53
    seed, step = (key[i].astype(jnp.uint64) for i in range(2))
    stream_word = jnp.asarray(np.uint64(stream & (2**64 - 1)))
    bits = random_bits(seed, stream_word, step, int(np.prod(shape, dtype=int)))
    fraction = (bits >> np.uint64(64 - digits)).astype(at.dtype) * at.dtype.type(0.5**digits)
    return fraction.reshape(shape)
