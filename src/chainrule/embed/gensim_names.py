"""What is left of gensim's ``KeyedVectors``, by its names: thin, over what this room has anyway."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from chainrule.embed import formats
from chainrule.embed.evaluation_files import Section, WordPairs, read_analogies, read_pairs
from chainrule.embed.formats.table import Policy, VectorTable, check_words
from chainrule.embed.vector_errors import VectorsError
from chainrule.embed.vocabulary import Vocabulary
from chainrule.embed.word_table import WordTable, check_list, numbers_of
from chainrule.files import written_whole

if TYPE_CHECKING:
    from chainrule.embed.vectors import WordVectors

Path = str | os.PathLike[str]
# gensim's names of the ways to answer analogies.
ANALOGIES = {"most_similar": "add", "most_similar_cosmul": "mul"}


class GensimNames(WordTable):
    """The methods of ``WordVectors`` that are there for programs written for gensim."""

    # ----- files ----------------------------------------------------------------------------------

    @classmethod
    def load_word2vec_format(
        cls,
        fname: Path,
        fvocab: Path | None = None,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        no_header: bool = False,
        duplicates: str = "refuse",
    ) -> Self:
        """Read a file of word2vec; ``load`` reads it too, and finds out by itself what it is.

        Args:
            fname: the file.
            fvocab: a file with a word and its count on each line; without it there are no counts.
            binary: whether it is word2vec's binary form.
            encoding: of the words: UTF-8, there is no other.
            unicode_errors, limit, duplicates: as ``errors`` and so on of ``load``.
            no_header: whether the first line is a word already, as in GloVe's files.

        Raises:
            VectorsError: naming the line or offset at which a file is not what it should be.

        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/small.bin"
        >>> GensimNames(["cat"], [[1, 0.5]]).save_word2vec_format(path, binary=True)
        >>> GensimNames.load_word2vec_format(path, binary=True)["cat"].tolist()
        [1.0, 0.5]
        """
        try:
            known = codecs.lookup(encoding).name == "utf-8"
        except LookupError:
            known = False
        if not known:
            raise VectorsError(f"encoding={encoding!r}: words are read as UTF-8 only")
        policy = Policy(unicode_errors, duplicates, limit)
        table = formats.read(fname, _form(binary, not no_header), policy)
        counts = table.counts
        if fvocab is not None:
            found = Vocabulary.load(fvocab)
            missing = next((word for word in table.words if word not in found), None)
            if missing is not None:
                raise VectorsError(f"{fvocab} has no count of {missing!r}, a word of {fname}")
            counts = found.counts[[found.index[word] for word in table.words]]
        return cls(table.words, table.vectors, counts, index=table.index)

    def save_word2vec_format(
        self,
        fname: Path,
        fvocab: Path | None = None,
        binary: bool = False,
        write_header: bool = True,
    ) -> None:
        """Write a file of word2vec, words in their order; ``save`` goes by the name's end.

        Args:
            fname: the file.
            fvocab: where a word and its count on each line go.
            binary: whether to write word2vec's binary form.
            write_header: whether the first line has the sizes; without them it is GloVe's form.

        Raises:
            VectorsError: for a word that the form cannot hold, or counts that are not there.
        """
        form = _form(binary, write_header)
        counts = None if fvocab is None else self._counts()
        table = VectorTable(self.words, self.vectors, self.counts, dict(self.key_to_index))
        formats.write(fname, form, table)
        if fvocab is not None and counts is not None:
            check_words(fvocab, self.words, "\n", "a file of counts")
            with written_whole(fvocab) as file:
                for word, count in zip(self.words, counts.tolist(), strict=True):
                    file.write(f"{word} {count}\n")

    # ----- words that are added -------------------------------------------------------------------

    def add_vector(self, key: str, vector: Any) -> int:
        """Add a word, or give a word another vector; its place. See ``add_vectors``."""
        self.add_vectors([key], [vector], replace=True)
        return self.key_to_index[key]

    def add_vectors(
        self,
        keys: Sequence[str],
        weights: Any,
        extras: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> None:
        """Add words in place, behind those that are there.

        The table becomes a new one in memory: the file that it was mapped from, or the model whose
        it was, stays as it is. Each call copies all vectors, so add many at once.

        Args:
            keys: the words.
            weights: their vectors, (words, size).
            extras: "count" for each of them; words without have 0, where others have counts.
            replace: whether words that are there get the new vectors, or keep theirs.

        Raises:
            VectorsError: for vectors of another size, or not finite, and for a word that is
            given twice.

        >>> v = GensimNames(["cat"], [[1, 0.5]])
        >>> v.add_vectors(["dog", "cow"], [[1, 0.7], [0, 1]])
        >>> v.words, v["cow"].tolist()
        (['cat', 'dog', 'cow'], [0.0, 1.0])
        """
        words = [keys] if isinstance(keys, str) else list(keys)
        vectors = numbers_of(weights)
        if vectors.shape != (len(words), self.vector_size):
            raise VectorsError(
                f"{len(words)} words need vectors of shape ({len(words)}, {self.vector_size}), not "
                f"{vectors.shape}"
            )
        odd_rows = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(odd_rows):
            raise VectorsError(
                f"the vector of {words[odd_rows[0]]!r} holds a number that is not finite"
            )
        seen: set[str] = set()
        for word in words:
            if not isinstance(word, str):
                raise VectorsError(f"a word is text, not {word!r}")
            if word in seen:
                raise VectorsError(f"the word {word!r} is given twice")
            seen.add(word)
        odd = sorted(set(extras or ()) - {"count"})
        if odd:
            raise VectorsError(f"words have no {odd[0]!r}, only 'count'")
        given = None if extras is None or "count" not in extras else np.asarray(extras["count"])
        if given is not None and given.shape != (len(words),):
            raise VectorsError(f"{len(words)} words with counts of shape {given.shape}")
        new = [place for place, word in enumerate(words) if word not in self]
        old = [place for place, word in enumerate(words) if word in self] if replace else []
        rows = [self.key_to_index[words[place]] for place in old]
        table = np.concatenate([self.vectors, vectors[new]])
        table[rows] = vectors[old]
        counts = None
        if self.counts is not None or given is not None:
            before = np.zeros(len(self), np.int64) if self.counts is None else self.counts
            added = np.zeros(len(words), np.int64) if given is None else given.astype(np.int64)
            counts = np.concatenate([before, added[new]])
            if given is not None:
                counts[rows] = added[old]
        self._become([*self.words, *(words[place] for place in new)], table, counts)

    def unit_normalize_all(self) -> None:
        """Scale all vectors to length one, in place as ``add_vectors`` is."""
        self._become(self.words, self.get_normed_vectors(), self.counts)

    def sort_by_descending_frequency(self) -> None:
        """Put the frequent words first, in place as ``add_vectors`` is; ties keep their order.

        Raises:
            VectorsError: where there are no counts.

        >>> v = GensimNames(["cat", "dog"], [[1, 0.5], [1, 0.7]], [2, 3])
        >>> v.sort_by_descending_frequency()
        >>> v.words, v.get_index("cat")
        (['dog', 'cat'], 1)
        """
        counts = self._counts()
        rows = np.argsort(-counts, kind="stable")
        words = [self.index_to_key[row] for row in rows.tolist()]
        self._become(words, self.vectors[rows], counts[rows])

    def vectors_for_all(self, keys: Iterable[Any]) -> Self:
        """New vectors for these words alone, each once; words without a vector are left out.

        >>> GensimNames(["cat", "dog"], [[1, 0.5], [1, 0.7]]).vectors_for_all(["dog", "cow"]).words
        ['dog']
        """
        check_list(keys)
        rows = [self.key_to_index[key] for key in dict.fromkeys(keys) if key in self]
        words = [self.index_to_key[row] for row in rows]
        return type(self)(
            words, self.vectors[rows], None if self.counts is None else self.counts[rows]
        )

    def get_vecattr(self, key: Any, attr: str) -> int:
        """How often a word was seen, ``attr`` being "count"; words have no other attribute.

        Raises:
            VectorsError: for another attribute, or where there are no counts.
        """
        if attr != "count":
            raise VectorsError(f"words have no {attr!r}, only 'count'")
        return int(self._counts()[self.get_index(key)])

    def _counts(self) -> np.ndarray:
        if self.counts is None:
            raise VectorsError(
                "these vectors have no counts: their file had none, or WordVectors was given none"
            )
        return self.counts

    # ----- texts and evaluation -------------------------------------------------------------------

    def wmdistance(
        self, document1: Sequence[str], document2: Sequence[str], norm: bool = True
    ) -> float:
        """How far the words of one text must travel to become those of another.

        Args:
            document1, document2: their words; those without a vector are left out.
            norm: whether the distances are those of vectors of length one.

        Returns:
            The word mover's distance; infinity where a text has no known word.

        Source: M. Kusner and others (2015), From word embeddings to document distances.

        >>> v = GensimNames(["sun", "moon", "sea"], [[1, 0], [0, 1], [3, 4]])
        >>> round(v.wmdistance(["sun", "moon"], ["moon", "sun"]), 6)
        0.0
        """
        from scipy.spatial.distance import cdist

        from chainrule.embed.mover import mover_distance

        parts = []
        for document in (document1, document2):
            check_list(document)
            rows = [self.key_to_index[word] for word in document if word in self]
            parts.append(np.unique(np.array(rows, np.int64), return_counts=True))
        (one, weights), (other, other_weights) = parts
        if not len(one) or not len(other):
            return float("inf")
        scales = self.inverse_norms() if norm else np.ones(len(self), np.float32)
        x, y = (self.vectors[rows].astype(float) * scales[rows, None] for rows in (one, other))
        return mover_distance(weights, other_weights, cdist(x, y))

    def evaluate_word_pairs(
        self,
        pairs: Path | WordPairs,
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[Any, Any, float]:
        """Correlate cosines with people's similarities; ``evaluation.similarity`` says more.

        Args:
            pairs: a file, see ``read_pairs``, which finds what separates columns; or what it gives.
            restrict_vocab: count all but the first so many words as unknown.
            case_insensitive: take a word in another case where it has no vector as it is written.
            dummy4unknown: whether a pair with an unknown word has the cosine 0, or is left out.

        Returns:
            SciPy's results for Pearson's and for Spearman's correlation, a statistic and a p-value
            each, and the share of pairs with an unknown word in percent.
        """
        from scipy.stats import pearsonr, spearmanr

        from chainrule.embed.evaluation import compared

        given = pairs if isinstance(pairs, WordPairs) else read_pairs(pairs)
        self_ = cast("WordVectors", self)
        found = compared(self_, given, restrict_vocab, case_insensitive)
        cosines, scores = found.cosines, np.asarray(given.scores, np.float64)
        if dummy4unknown:
            cosines = np.zeros(len(scores))
            cosines[found.known] = found.cosines
        else:
            scores = scores[found.known]
        if len(scores) < 2:
            raise VectorsError(
                f"{given.name}: a correlation needs two pairs of known words, and of "
                f"{len(given.pairs)} pairs there are {len(scores)}"
            )
        unknown = 1 - len(found.known) / len(given.pairs)
        return pearsonr(scores, cosines), spearmanr(scores, cosines), 100 * unknown

    def evaluate_word_analogies(
        self,
        analogies: Path | Iterable[Section],
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """Answer "a is to b as c is to what?"; ``evaluation.analogies`` says more.

        Args:
            analogies: a file in the form of Google's, or what ``read_analogies`` gives.
            restrict_vocab: ask and answer with the first so many words only.
            case_insensitive: whether the case of letters makes no difference.
            dummy4unknown: whether questions with an unknown word count as wrong, or are left out.
            similarity_function: "most_similar" for 3CosAdd, "most_similar_cosmul" for 3CosMul.

        Returns:
            The share that is right, 0 where nothing could be asked, and for each section, and last
            for all, a dict of "section", its name, and "correct" and "incorrect", the questions.
        """
        from chainrule.embed.evaluation import answers

        if similarity_function not in ANALOGIES:
            raise VectorsError(
                f"similarity_function={similarity_function!r} is not one of {', '.join(ANALOGIES)}"
            )
        sections = (
            read_analogies(analogies)
            if isinstance(analogies, str | os.PathLike)
            else list(analogies)
        )
        known, right = answers(
            cast("WordVectors", self),
            [question for section in sections for question in section.questions],
            restrict_vocab,
            case_insensitive,
            ANALOGIES[similarity_function],
        )
        asked = iter(zip((known | dummy4unknown).tolist(), right.tolist(), strict=True))
        total: dict[str, Any] = {"section": "Total accuracy", "correct": [], "incorrect": []}
        results = []
        for section in sections:
            result: dict[str, Any] = {"section": section.name, "correct": [], "incorrect": []}
            for question in section.questions:
                counts, is_right = next(asked)
                if counts:
                    result["correct" if is_right else "incorrect"].append(question)
            for name in ("correct", "incorrect"):
                total[name] += result[name]
            results.append(result)
        count = len(total["correct"]) + len(total["incorrect"])
        return len(total["correct"]) / max(count, 1), [*results, total]


def _form(binary: bool, header: bool) -> str:
    if binary and not header:
        raise VectorsError("word2vec's binary form begins with a header: there is none without")
    return "word2vec-binary" if binary else "word2vec" if header else "glove"
