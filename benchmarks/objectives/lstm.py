"""A language model of characters: LSTM layers with diagonal weights, in a row of 14 bits each.

Layer by layer a step computes four gates from its input x and its last output h: forget and output
from x, input and change from h, each with one weight and one bias for each bit. The model predicts
the next character's bits; the loss is their mean cross-entropy, with a constant 2 in the
normaliser. The gradient is taken with respect to all weights.

Source: S. Hochreiter and J. Schmidhuber, Long short-term memory (1997); the diagonal model is
ADBench's.
"""

from __future__ import annotations

from typing import Any

from objectives.problem import Library, Problem, generator

BITS = 14


def value(library: Library, main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    """The loss.

    Args:
        library: what it is computed with.
        main: (layers, 2, 4, bits): weights and biases of the gates: forget, input, output, change.
        extra: (3, bits): weights of the input, weights and biases of the output.
        state: (layers, 2, bits): the first output and cell of each layer.
        sequence: (characters, bits): zeros and ones.
    """
    np = library.numpy
    layers = main.shape[0]

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def step(carry: Any, x: Any) -> Any:
        x = x * extra[0]
        after = []
        for layer, (h, c) in enumerate(carry):
            weight, bias = main[layer, 0], main[layer, 1]
            forget = sigmoid(x * weight[0] + bias[0])
            entering = sigmoid(h * weight[1] + bias[1])
            leaving = sigmoid(x * weight[2] + bias[2])
            change = np.tanh(h * weight[3] + bias[3])
            c = c * forget + entering * change
            x = leaving * np.tanh(c)
            after.append((x, c))
        return tuple(after), x

    first = tuple((state[layer, 0], state[layer, 1]) for layer in range(layers))
    _, outputs = library.scan(step, first, sequence[:-1])
    predicted = outputs * extra[1] + extra[2]
    normaliser = np.log(np.sum(np.exp(predicted), axis=1, keepdims=True) + 2)
    return -np.mean(sequence[1:] * (predicted - normaliser))


def value_in_torch(torch: Any, main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    """The same with PyTorch, the four gates of a layer in one row."""
    layers, bits = main.shape[0], main.shape[-1]
    weights = main.reshape(layers, 2, 4 * bits)
    carry = [(state[layer, 0], state[layer, 1]) for layer in range(layers)]
    outputs = []
    for x in sequence[:-1] * extra[0]:
        for layer in range(layers):
            h, c = carry[layer]
            gates = torch.cat([x, h, x, h]) * weights[layer, 0] + weights[layer, 1]
            forget, entering, leaving = torch.sigmoid(gates[: 3 * bits]).chunk(3)
            c = c * forget + entering * torch.tanh(gates[3 * bits :])
            x = leaving * torch.tanh(c)
            carry[layer] = (x, c)
        outputs.append(x)
    predicted = torch.stack(outputs) * extra[1] + extra[2]
    normaliser = torch.log(torch.sum(torch.exp(predicted), dim=1, keepdim=True) + 2)
    return -torch.mean(sequence[1:] * (predicted - normaliser))


def problem(layers: int, characters: int) -> Problem:
    """Uniform weights and states, random characters."""
    rng = generator()
    main, extra = rng.random((layers, 2, 4, BITS)), rng.random((3, BITS))
    state = rng.random((layers, 2, BITS))
    sequence = rng.integers(0, 2, (characters, BITS)).astype(float)
    return Problem(
        "lstm", f"{layers} layers, {characters} characters", "gradient",
        (main, extra), (state, sequence), value, value_in_torch,
    )  # fmt: skip


FULL = [{"layers": 2, "characters": 1024}, {"layers": 4, "characters": 1024}]
QUICK = [{"layers": 2, "characters": 12}]
