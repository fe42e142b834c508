"""The approximate index: most of what the exact search finds, with exact cosines."""

import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.embed.approximate import ApproximateIndex
from chainrule.embed.vector_errors import VectorsError
from chainrule.embed.vectors import WordVectors

WORDS = [f"w{place}" for place in range(3000)]


def some_vectors(size: int = 16) -> WordVectors:
    table = np.random.default_rng(0).normal(size=(len(WORDS), size)).astype(np.float32)
    table[7] = 0
    return WordVectors(WORDS, table)


def test_it_finds_most_of_the_nearest(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    vectors = some_vectors()
    index = ApproximateIndex(vectors)
    index.save(tmp_path / "graph")
    for each in (index, ApproximateIndex.load(tmp_path / "graph", vectors)):
        found = right = 0
        for word in WORDS[100:200]:
            exact = dict(vectors.most_similar(word))
            near = vectors.most_similar(word, indexer=each)
            assert len(near) == 10 and word not in dict(near) and "w7" not in dict(near)
            for other, cosine in near:
                assert cosine == pytest.approx(vectors.similarity(word, other), abs=1e-6)
            found += len(near)
            right += len(exact.keys() & dict(near).keys())
        assert right > 0.9 * found


def test_what_is_not_its_graph(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    index = ApproximateIndex(some_vectors())
    index.save(tmp_path / "graph")
    with pytest.raises(VectorsError, match="a graph of 2999 vectors of 16 numbers"):
        ApproximateIndex.load(tmp_path / "graph", some_vectors(8))
    with pytest.raises(VectorsError, match="no such file"):
        ApproximateIndex.load(tmp_path / "none", some_vectors())
    (tmp_path / "other").write_bytes(b"not a graph" * 10)
    with pytest.raises(VectorsError, match="not a graph"):
        ApproximateIndex.load(tmp_path / "other", some_vectors())
    with pytest.raises(VectorsError, match=r"shape \(16,\) here, not \(3,\)"):
        index.most_similar(np.ones(3), 5)
    assert index.most_similar(np.ones(16), 0) == []


def test_the_library_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch", None)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(VectorsError, match=r"pip install 'chainrule\[ann\]'"):
        ApproximateIndex(some_vectors())
