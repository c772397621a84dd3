"""Fixes of moto.

Each patch is a function whose docstring names its reason; `apply` calls all of them once in the server process. A test
of each patch fails when a new version of moto makes it unnecessary or moves what it replaces.
"""

from local.moto_patches import hosts, jobs, objects, queues, rule_targets, state_machines, tables
from local.moto_patches.hooks import Hooks

__all__ = ["Hooks", "apply"]


def apply(hooks: Hooks) -> None:
    """Patch moto in this process."""
    hosts.remember_services()
    objects.lock_objects()
    objects.list_versions_without_content()
    objects.escape_keys_of_versions()
    objects.check_copy_preconditions()
    objects.accept_newlines_in_keys()
    objects.send_object_events(hooks)
    tables.answer_values_by_their_type()
    queues.lock_queues()
    queues.look_up_retention()
    queues.leave_delivery_to_pollers()
    rule_targets.deliver_events(hooks)
    rule_targets.invoke_functions(hooks)
    jobs.update_jobs()
    jobs.run_jobs(hooks)
    jobs.check_table_versions()
    state_machines.interpret_state_machines()
    state_machines.share_clients()
    state_machines.start_executions_once()
    state_machines.report_executions(hooks)
    state_machines.wait_for_job_runs()
    state_machines.name_errors_as_aws_does()
