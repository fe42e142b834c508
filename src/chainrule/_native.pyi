"""The native core: op lists run over buffers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DTYPES: dict[str, int]
BUFFERS: dict[str, int]
OPERATIONS: dict[str, int]
REDUCTIONS: dict[str, int]
BINDINGS: dict[str, int]
MATRIX_FUNCTIONS: dict[str, int]
LAPACK_ROWS: int
ROW_MAPS: dict[str, int]

def build_info() -> dict[str, Any]: ...
def kernels() -> dict[str, tuple[int, int, str]]: ...
def load_blas(api: Mapping[str, object]) -> None: ...
def loops_on_threads() -> int: ...
def load_lapack(api: Mapping[str, object]) -> None: ...
def shuffle(generator: Any, rows: Any, length: int) -> None: ...
def blas_is_loaded() -> bool: ...
def blas_threshold() -> int: ...
def set_blas_threshold(value: int) -> None: ...

class Program:
    def __init__(
        self,
        buffers: list[tuple[int, int, Any]],
        slots: Sequence[tuple[int, int, int, Sequence[int], Sequence[int]]],
        operations: Sequence[tuple[Any, ...]],
        callbacks: int,
        bodies: Sequence[tuple[Any, ...]] = ...,
    ) -> None: ...
    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        callbacks: list[Callable[[], None]] = ...,
        flush_denormals: bool = ...,
        steps: int = ...,
        input_strides: Sequence[int] = ...,
        output_strides: Sequence[int] = ...,
        seconds: float = ...,
        threads: int = ...,
        copied: Sequence[tuple[int, Any]] = ...,
        every: int = ...,
        first: int = ...,
    ) -> tuple[int, bool]: ...
    def spread(self) -> list[bool]: ...
    def own_loops(self) -> list[bool]: ...
    def arena(self, buffer: int) -> memoryview: ...

class words:
    """A submodule, written as a class because this file stands for the whole extension."""

    class Training:
        pieces: int
        def __init__(
            self,
            ids: Any,
            ends: Any,
            keep: Any,
            alias: Any,
            path_ends: Any,
            path_nodes: Any,
            path_codes: Any,
            input: Any,
            output: Any,
            frozen_input: Any,
            frozen_output: Any,
            input_uses: Any,
            output_uses: Any,
            settings: dict[str, Any],
        ) -> None: ...
        def run(
            self, epoch: int, first: int, rate: float, final_rate: float, seconds: float
        ) -> tuple[int, float, int]: ...
        def settle(self) -> None: ...
        def measure(self, epoch: int, pieces: list[int]) -> tuple[float, int]: ...
        def draw(self, epoch: int, piece: int) -> dict[str, bytes]: ...
        def descend(
            self, epoch: int, piece: int, first: int, last: int, rate: float
        ) -> tuple[float, int]: ...

    @staticmethod
    def renumbered(ids: Any, numbers: Any, ends: Any) -> tuple[bytes, bytes]: ...

    class WordTable:
        def __init__(self) -> None: ...
        def __len__(self) -> int: ...
        def read(self, text: Any) -> tuple[bytes, bytes]: ...
        def read_words(
            self,
            text: Any,
            characters: Any,
            minimum: int,
            drop_numbers: bool,
            mask_numbers: bool,
        ) -> tuple[bytes, bytes]: ...
        def add(self, tokens: list[str]) -> bytes: ...
        def find(self, tokens: list[str]) -> bytes: ...
        def counts(self) -> bytes: ...
        def words(self, places: Any) -> list[str]: ...
        def keep(self, places: Any) -> None: ...
        def dump(self) -> tuple[bytes, bytes]: ...
        def restore(self, text: Any, ends: Any, counts: Any) -> None: ...

    class PairCounter:
        files: int
        def __init__(
            self, vocabulary: int, window: int, sides: int, weights: int, memory: int, folder: str
        ) -> None: ...
        def count(self, ids: Any, ends: Any, begin: int, end: int) -> None: ...
        def finish(self, row_ends: Any) -> int: ...
        def write(self, row_ends: Any, columns: Any, values: Any) -> None: ...

    @staticmethod
    def glove_cells(entries: int, piece: int) -> int: ...
    @staticmethod
    def glove_arrange(
        row_ends: Any,
        columns: Any,
        values: Any,
        x_max: float,
        alpha: float,
        seed: int,
        piece: int,
        entries: Any,
        cell_ends: Any,
    ) -> None: ...

    class GloveTraining:
        pieces: int
        def __init__(
            self,
            row: tuple[Any, ...],
            column: tuple[Any, ...],
            size: int,
            stride: int,
            entries: Any,
            cell_ends: Any,
            seed: int,
            workers: int,
        ) -> None: ...
        def run(
            self, epoch: int, first: int, rate: float, seconds: float
        ) -> tuple[int, float, int]: ...

    @staticmethod
    def find_rows(data: Any, offset: int, size: int, starts: Any, ends: Any) -> int: ...
    @staticmethod
    def copy_rows(data: Any, ends: Any, table: Any) -> int: ...
    @staticmethod
    def find_lines(data: Any, offset: int, ends: Any) -> int: ...
    @staticmethod
    def parse_lines(
        data: Any, starts: Any, ends: Any, with_words: bool, word_ends: Any, table: Any
    ) -> int: ...
    @staticmethod
    def decode_words(data: Any, starts: Any, ends: Any, errors: str) -> list[str]: ...
