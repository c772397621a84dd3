"""What no linter finds: rules of security and of the pipeline, each a function from a translated template to findings.

A rule follows the template: it holds for every resource of a kind, so a new one is judged without a change here.
"""

from tests.unit.template.faults import RULES
from tests.unit.template.rules import access, alarms, compute, grants, queues, storage, thresholds

MODULES = (access, alarms, compute, grants, queues, storage, thresholds)
__all__ = ["MODULES", "RULES"]
