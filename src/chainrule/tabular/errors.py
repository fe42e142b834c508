"""The error of this room: a table, or a question asked of it, that cannot be used as it is."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from chainrule.errors import ChainruleError


class TableError(ChainruleError):
    """Says which file, column, row or value is unusable, and what to do about it.

    >>> raise TableError("flights.csv has a header but no rows")
    Traceback (most recent call last):
        ...
    chainrule.tabular.errors.TableError: flights.csv has a header but no rows
    """


def nearest_names(name: str, names: Sequence[str]) -> str:
    """Return a sentence with the names most like `name`, for messages about a missing column.

    Args:
        name: what was asked for.
        names: what there is.

    Returns:
        "Did you mean ...?" where something is close, otherwise the first few names there are.

    >>> nearest_names("delayd", ["delayed", "carrier"])
    'Did you mean "delayed"?'
    >>> nearest_names("zzz", ["delayed", "carrier"])
    'The columns are: "delayed", "carrier".'
    """
    by_lower_case = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(quoted(by_lower_case[other]) for other in close)}?"
    if not names:
        return "The table has no columns."
    shown = ", ".join(quoted(other) for other in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"The columns are: {shown}{more}."


def quoted(value: object, limit: int = 60) -> str:
    """Return `value` in double quotes, shortened to `limit` characters, on one line.

    >>> quoted("a" * 70, limit=5)
    '"aaaa…"'
    """
    text = str(value).replace("\n", "\\n").replace("\r", "\\r")
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return f'"{text}"'


def plural(count: int, singular: str, several: str | None = None) -> str:
    """Return the count with its noun in the right number, thousands set apart.

    >>> plural(1, "row"), plural(1234, "row"), plural(2, "category", "categories")
    ('1 row', '1 234 rows', '2 categories')
    """
    noun = singular if count == 1 else (several or singular + "s")
    return f"{count:,}".replace(",", " ") + f" {noun}"
