"""A second opinion that shares no code with the product: the design's sections 3 and 4 in SQL over the raw files.

`evaluate` says what must stand in MetricsTable and in the ledger; `differences` holds what stands there against it.
"""

from tests.oracle.compare import differences, scan_items
from tests.oracle.contract import Batch, NoReferenceDataError, Outcome, Reference, Source, StreamFile, evaluate

__all__ = [
    "Batch",
    "NoReferenceDataError",
    "Outcome",
    "Reference",
    "Source",
    "StreamFile",
    "differences",
    "evaluate",
    "scan_items",
]
