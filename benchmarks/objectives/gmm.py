"""The log-posterior of a mixture of Gaussians with full covariances and a Wishart prior.

Component k has the weight softmax(alpha)_k, the mean mu_k and the precision Q_k^T Q_k, where Q_k is
lower triangular: exp(q_k) on the diagonal, low_k below it, column by column. With
beta_ik = alpha_k - |Q_k (x_i - mu_k)|^2 / 2 + sum(q_k) the result is

    sum_i logsumexp(beta_i) - N (D/2 log 2 pi + logsumexp(alpha))
    + K (n D log(gamma / sqrt 2) - log Gamma_D(n/2)) - gamma^2/2 sum |Q_k|^2 + m sum(q)

with n = D + m + 1. Q_k (x - mu_k) is computed as Q_k x - Q_k mu_k, one product of matrices for all
components.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy

from objectives.problem import Library, Problem, generator

GAMMA, FREEDOM = 1.0, 0


def below_diagonal(d: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Rows and columns of the entries below the diagonal, column by column."""
    columns, rows = numpy.triu_indices(d, 1)
    return rows, columns


def places(d: int) -> numpy.ndarray:
    """(d, d): for each entry of the factor its place in [0, exp(q), low]."""
    table = numpy.zeros((d, d), numpy.intp)
    table[below_diagonal(d)] = 1 + d + numpy.arange(d * (d - 1) // 2)
    table[numpy.diag_indices(d)] = 1 + numpy.arange(d)
    return table


def constant(k: int, d: int, n: int) -> float:
    """What does not depend on the parameters."""
    freedom = d + FREEDOM + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi) + sum(
        math.lgamma((freedom - j) / 2) for j in range(d)
    )
    prior = k * (freedom * d * math.log(GAMMA / math.sqrt(2)) - log_gamma)
    return prior - n * d / 2 * math.log(2 * math.pi)


def value(library: Library, alpha: Any, mu: Any, q: Any, low: Any, x: Any, table: Any) -> Any:
    """The log-posterior.

    Args:
        library: what it is computed with.
        alpha, mu, q, low: (K,), (K, D), (K, D) and (K, D (D - 1) / 2).
        x: (N, D), the points.
        table: from ``places``.
    """
    np = library.numpy
    (k, d), n = mu.shape, x.shape[0]

    def logsumexp(v: Any) -> Any:
        greatest = np.max(v, axis=-1, keepdims=True)
        total = np.sum(np.exp(v - greatest), axis=-1, keepdims=True)
        return np.sum(greatest + np.log(total))

    factors = np.concatenate([np.zeros((k, 1)), np.exp(q), low], axis=1)[:, table]
    moved_points = (x @ factors.reshape(k * d, d).T).reshape(n, k, d)
    moved_means = np.sum(factors * mu[:, None, :], axis=2)
    distances = np.sum((moved_points - moved_means) ** 2, axis=2)
    inner = alpha + np.sum(q, axis=1) - distances / 2
    return (
        logsumexp(inner) - n * logsumexp(alpha) - GAMMA**2 / 2 * np.sum(factors**2)
        + FREEDOM * np.sum(q) + constant(k, d, n)
    )  # fmt: skip


def value_in_torch(
    torch: Any, alpha: Any, mu: Any, q: Any, low: Any, x: Any, rows: Any, columns: Any
) -> Any:
    """The same with PyTorch: entries assigned in place, its own logsumexp."""
    (k, d), n = mu.shape, x.shape[0]
    factors = torch.diag_embed(torch.exp(q))
    factors[:, rows, columns] = low
    moved_points = (x @ factors.reshape(k * d, d).T).reshape(n, k, d)
    moved_means = torch.einsum("kij,kj->ki", factors, mu)
    distances = torch.sum((moved_points - moved_means) ** 2, dim=2)
    inner = alpha + torch.sum(q, dim=1) - distances / 2
    return (
        torch.sum(torch.logsumexp(inner, dim=1)) - n * torch.logsumexp(alpha, dim=0)
        - GAMMA**2 / 2 * torch.sum(factors**2) + FREEDOM * torch.sum(q) + constant(k, d, n)
    )  # fmt: skip


def problem(d: int, k: int, n: int = 1000) -> Problem:
    """Normal points and parameters, uniform means."""
    rng = generator()
    x, alpha, mu = rng.normal(size=(n, d)), rng.normal(size=k), rng.random((k, d))
    q, low = rng.normal(size=(k, d)), rng.normal(size=(k, d * (d - 1) // 2))
    rows, columns = below_diagonal(d)

    def in_torch(torch: Any, *arrays: Any) -> Any:
        indices = (torch.from_numpy(rows), torch.from_numpy(columns))
        return value_in_torch(torch, *arrays, *indices)

    return Problem(
        "gmm", f"{n} points, {d} dimensions, {k} components", "gradient",
        (alpha, mu, q, low), (x,), partial(value, table=places(d)), in_torch,
        bound=3.0 if d >= 32 else 5.0,
    )  # fmt: skip


FULL = [{"d": 2, "k": 5}, {"d": 10, "k": 25}, {"d": 32, "k": 50}, {"d": 64, "k": 100}]
QUICK = [{"d": 3, "k": 4, "n": 20}]
