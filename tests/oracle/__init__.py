"""A second implementation that shares no code with the product: sections 3 and 4 of the design in SQL over raw files.

`evaluate` returns the expected contents of MetricsTable and of the ledger; `differences` compares MetricsTable with it.
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
