"""Everything that is stored, once each, by stage: who writes it, who reads it, and what the fixture of it means.

Only this package names modules, classes and fields of the product: a rename there is a change here, and of nothing else
in the tests of compatibility. The names in the fixtures are the stored ones, and stay.

Not here, because only Spark can write it: the columns of the lake's tables, and the Parquet files of metrics, removed
tracks and parsed reference data; tests/integration/transform looks at those.
"""

from tests.compatibility.stored.intake import INTAKE
from tests.compatibility.stored.ledger import LEDGER
from tests.compatibility.stored.load import LOAD
from tests.compatibility.stored.reports import REPORTS
from tests.compatibility.stored.settle import SETTLE
from tests.compatibility.stored.steps import STEPS
from tests.compatibility.stored.transform import TRANSFORM

EVERYTHING = [*LEDGER, *INTAKE, *TRANSFORM, *LOAD, *SETTLE, *REPORTS, *STEPS]
