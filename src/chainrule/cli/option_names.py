"""Errors that name a parameter of Python, told in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chainrule.errors import ChainruleError

_VALUE = r"'[^']*'|[-+.\w]*\w"


@contextmanager
def options_named(options: Mapping[str, str]) -> Iterator[None]:
    """Let errors name options: ``min_count=5`` becomes ``--min-count 5``.

    It serves as a decorator too.

    Args:
        options: parameter -> option; or, where a value has an option of its own, parameter=value
            -> option.

    >>> with options_named({"errors": "--errors"}):
    ...     raise ChainruleError("give errors='replace'")
    Traceback (most recent call last):
        ...
    chainrule.errors.ChainruleError: give --errors replace
    """
    try:
        yield
    except ChainruleError as error:
        told = in_options(str(error), options)
        if told == str(error):
            raise
        raise ChainruleError(told) from error


def in_options(message: str, options: Mapping[str, str]) -> str:
    """A message with options in the place of parameters.

    >>> in_options("limit=0 leaves no words; say it with column=", {"limit": "-n", "column": "-c"})
    '-n 0 leaves no words; say it with -c'
    >>> in_options("sg=1 there, sg=0 here", {"sg=1": "--model skipgram", "sg=0": "--model cbow"})
    '--model skipgram there, --model cbow here'
    """

    def option(found: re.Match[str]) -> str:
        if found[0] in options:
            return options[found[0]]
        if found["name"] not in options:
            return found[0]
        value = (found["value"] or "").strip("'")
        return f"{options[found['name']]} {value}".rstrip()

    names = "|".join({re.escape(name.partition("=")[0]) for name in options})
    return re.sub(rf"\b(?P<name>{names})=(?P<value>{_VALUE})?", option, message)
