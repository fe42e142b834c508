"""What goes wrong with vectors of words."""

from __future__ import annotations

from chainrule.errors import ChainruleError


class VectorsError(ChainruleError, ValueError):
    """Vectors, a file of them, or a question about them, that cannot be used as it is."""


class UnknownWordError(ChainruleError, KeyError):
    """A word that has no vector.

    >>> raise UnknownWordError("'kign' has no vector; did you mean 'king'?")
    Traceback (most recent call last):
        ...
    chainrule.embed.vector_errors.UnknownWordError: 'kign' has no vector; did you mean 'king'?
    """

    # That of KeyError puts quotes around the message.
    __str__ = Exception.__str__
