"""What training takes of the memory: its two tables, and little else."""

import subprocess
import sys

import pytest

from chainrule.run import native

# Of three million words it is a tenth; of fewer, what is always there weighs more.
WORDS, SIZE, MOST = 200_000, 300, 1.12

SCRIPT = f"""
import pathlib, re, tempfile
from chainrule.embed.corpus import Corpus
from chainrule.embed.word2vec import Word2Vec

def memory(kind):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(kind + r":\\s+(\\d+)", status)[1]) << 10

def train(folder, words):
    text = pathlib.Path(folder, f"{{words}}.txt")
    lines = (" ".join(f"word{{j}}" for j in range(i, i + 20)) for i in range(0, words, 20))
    text.write_text("\\n".join(lines))
    model = Word2Vec(vector_size={SIZE}, sg=1, min_count=1, epochs=1, workers=1)
    corpus = Corpus(text, progress=False)
    model.build_vocab(corpus)
    model.train(corpus, progress=False)

with tempfile.TemporaryDirectory() as folder:
    train(folder, 1000)  # loads all libraries
    before = memory("VmRSS")
    train(folder, {WORDS})
    print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.skipif(not native.available(), reason="needs the native core")
def test_memory_is_two_tables_and_little_else() -> None:
    from chainrule._native import build_info

    if build_info()["sanitize"]:
        pytest.skip("sanitizers take memory of their own")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    tables = 2 * WORDS * SIZE * 4
    assert tables < int(done.stdout) < MOST * tables
