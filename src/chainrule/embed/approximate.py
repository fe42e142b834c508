"""Most of the nearest words, found without looking at all of them: for a million and more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.embed.vector_errors import VectorsError
from chainrule.files import written_whole

if TYPE_CHECKING:
    from chainrule.embed.vectors import Neighbours, WordVectors

# Vectors that are put into the graph at a time.
BLOCK = 1 << 16


class ApproximateIndex:
    """A graph in which each word is tied to some near ones (HNSW), kept by the library usearch.

    Building takes much longer than one exact question, and memory for a second table; it pays where
    many single questions are asked of a million words or more. Needs the extra ``[ann]``.

    Args:
        vectors: of the words.
        connectivity: ties of a word; more find more, and take more memory.
        expansion_add: words that are looked at to place one.
        expansion_search: words that are looked at to answer; more find more, and take longer.
        threads: that build; 0 for all cores.

    Source: Y. Malkov and D. Yashunin (2018), Efficient and robust approximate nearest neighbor
    search using hierarchical navigable small world graphs.

    ``WordVectors.most_similar("moon", indexer=index)`` asks it.

    Raises:
        VectorsError: where usearch is not installed.
    """

    def __init__(
        self,
        vectors: WordVectors,
        *,
        connectivity: int = 16,
        expansion_add: int = 128,
        expansion_search: int = 64,
        threads: int = 0,
    ) -> None:
        self.vectors = vectors
        self._graph = _usearch().Index(
            ndim=vectors.vector_size,
            metric="cos",
            dtype="f32",
            connectivity=connectivity,
            expansion_add=expansion_add,
            expansion_search=expansion_search,
        )
        # A vector of zeros is near to nothing, but would be found everywhere.
        rows = np.flatnonzero(vectors.inverse_norms())
        for first in range(0, len(rows), BLOCK):
            part = rows[first : first + BLOCK]
            self._graph.add(part.astype(np.uint64), vectors.vectors[part], threads=threads)

    def most_similar(self, vector: Any, count: int) -> Neighbours:
        """About the ``count`` words nearest to a vector, with their exact cosines."""
        if count < 1 or not len(self._graph):
            return []
        query = np.asarray(vector, np.float32)
        if query.shape != (self.vectors.vector_size,):
            raise VectorsError(
                f"a vector has shape ({self.vectors.vector_size},) here, not {query.shape}"
            )
        rows = np.asarray(self._graph.search(query, count).keys, np.int64)
        cosines = self.vectors.cosine_similarities(query, self.vectors.vectors[rows])
        order = np.lexsort((rows, -cosines))
        words = self.vectors.index_to_key
        return [(words[rows[place]], float(cosines[place])) for place in order]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph to a file; the words and the vectors are saved for themselves."""
        with written_whole(path, "wb") as file:
            file.write(memoryview(self._graph.save()))

    @classmethod
    def load(cls, path: str | os.PathLike[str], vectors: WordVectors) -> ApproximateIndex:
        """Read a graph that ``save`` wrote, of the same vectors.

        Raises:
            VectorsError: where the file is missing or damaged, or of other vectors.
        """
        library = _usearch()
        if not Path(path).is_file():
            raise VectorsError(f"{path}: there is no such file")
        try:
            graph = library.Index.restore(os.fspath(path))
        except (RuntimeError, ValueError) as error:
            raise VectorsError(f"{path} is not a graph that usearch can read: {error}") from None
        if graph is None:
            raise VectorsError(f"{path} is not a graph that usearch can read")
        count = int(np.count_nonzero(vectors.inverse_norms()))
        if (graph.ndim, len(graph)) != (vectors.vector_size, count):
            raise VectorsError(
                f"{path} is a graph of {len(graph)} vectors of {graph.ndim} numbers, but there are "
                f"{count} of {vectors.vector_size}"
            )
        index = cls.__new__(cls)
        index.vectors, index._graph = vectors, graph
        return index


def _usearch() -> Any:
    try:
        import usearch.index
    except ImportError:
        raise VectorsError(
            "an approximate index needs the library usearch: pip install 'chainrule[ann]'"
        ) from None
    return usearch.index
