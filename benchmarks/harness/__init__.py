"""What the benchmarks share: fair timing, saved cells, workers, tables."""

from harness.arguments import common_arguments as common_arguments
from harness.cells import Cells as Cells
from harness.machine import about as about
from harness.machine import heading as heading
from harness.tables import Table as Table
from harness.tables import duration as duration
from harness.tables import publish as publish
from harness.tables import write_section as write_section
from harness.timing import Clock as Clock
from harness.timing import Series as Series
from harness.timing import Timing as Timing
from harness.timing import interleave as interleave
from harness.timing import repeated as repeated
from harness.workers import Worker as Worker
from harness.workers import WorkerError as WorkerError
from harness.workers import serve as serve
