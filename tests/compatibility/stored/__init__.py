"""Every kind of stored document, by stage: its writer, its reader, and the meaning of its fixture.

Only this package uses modules, classes and fields of the product: a rename there changes nothing else in the
compatibility tests. The names in the fixtures are the stored ones and never change.

Not here, because only Spark can write it: the columns of the lake's tables, and the Parquet files of metrics, removed
tracks and parsed reference data; tests/integration/transform tests those.
"""

from tests.compatibility.stored.intake import INTAKE
from tests.compatibility.stored.ledger import LEDGER
from tests.compatibility.stored.load import LOAD
from tests.compatibility.stored.reports import REPORTS
from tests.compatibility.stored.settle import SETTLE
from tests.compatibility.stored.steps import STEPS
from tests.compatibility.stored.transform import TRANSFORM

EVERYTHING = [*LEDGER, *INTAKE, *TRANSFORM, *LOAD, *SETTLE, *REPORTS, *STEPS]
