"""Rules that no linter has, for security and the pipeline: functions from a translated template to findings.

A rule applies to every resource of a type, so that it checks a new one without a change here.
"""

from tests.unit.template.faults import RULES
from tests.unit.template.rules import access, alarms, compute, grants, queues, storage, thresholds

MODULES = (access, alarms, compute, grants, queues, storage, thresholds)
__all__ = ["MODULES", "RULES"]
