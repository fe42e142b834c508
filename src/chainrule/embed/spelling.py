"""Words that look like one that is not there, found at a cost that does not grow with the list."""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterator, Mapping, Sequence

# Words of the beginning of the list, the frequent ones in most files, that are compared one by one.
COMPARED = 20_000
# A longer word is looked for by its case alone.
LONGEST = 40


def nearest_spellings(
    word: str, index: Mapping[str, int], words: Sequence[str], count: int = 3
) -> list[str]:
    """The words most like ``word``: in another case, one edit away, or similar and frequent.

    Args:
        word: what is not there.
        index: the words that are there, with their places.
        words: the same in order, the frequent ones first.
        count: how many are wanted at most.

    >>> words = ["king", "queen", "kind", "Paris"]
    >>> index = {word: place for place, word in enumerate(words)}
    >>> nearest_spellings("kign", index, words), nearest_spellings("paris", index, words)
    (['king'], ['Paris'])
    """
    variants = (word.lower(), word.capitalize(), word.upper(), word.title(), word.swapcase())
    found = [each for each in dict.fromkeys(variants) if each in index]
    if len(word) > LONGEST:
        return found[:count]
    if len(found) < count:
        near = {each for each in one_edit_away(word) if each in index}
        found += sorted(near.difference(found), key=index.__getitem__)
    if not found:
        # Below two thirds of the length, or above one and a half, nothing is similar enough.
        shortest, longest = len(word) * 2 // 3, len(word) * 3 // 2
        similar = [each for each in words[:COMPARED] if shortest <= len(each) <= longest]
        found = difflib.get_close_matches(word, similar, n=count, cutoff=0.7)
    return found[:count]


def one_edit_away(word: str) -> Iterator[str]:
    """Every word that comes of one deletion, swap of neighbours, replacement or insertion.

    >>> {"ot", "oto", "to", "tto"} - set(one_edit_away("to"))
    {'to'}
    """
    letters = sorted(set(string.ascii_lowercase + word))
    for place in range(len(word) + 1):
        before, after = word[:place], word[place:]
        if after:
            yield before + after[1:]
        if len(after) > 1 and after[0] != after[1]:
            yield before + after[1] + after[0] + after[2:]
        for letter in letters:
            if after and letter != after[0]:
                yield before + letter + after[1:]
            yield before + letter + after
