"""What no linter finds: rules of security and of the pipeline, each a function from a translated template to findings.

A rule follows the template: it holds for every resource of a kind, so a new one is judged without a change here.
"""

from tests.template import Rule
from tests.unit.template.rules import access, alarms, compute, grants, queues, storage

RULES: list[Rule] = [
    access.no_statement_allows_a_wildcard_action,
    access.no_statement_allows_everything_as_its_resource,
    access.no_statement_allows_everybody,
    access.services_act_for_this_stack_only,
    access.every_program_has_a_role_of_its_own,
    access.roles_take_no_policy_of_aws,
    access.who_writes_logs_names_the_groups,
    alarms.every_failure_mode_has_an_alarm,
    alarms.alarms_on_what_is_measured_by_the_clock_ring_when_that_ends,
    alarms.no_alarm_rings_before_anything_was_measured,
    alarms.every_alarm_on_a_metric_of_our_own_names_one_that_is_told,
    alarms.every_job_that_no_machine_waits_for_has_a_rule_on_its_failures,
    alarms.every_alarm_reaches_the_operators,
    alarms.topics_of_alarms_have_a_key_that_alarms_may_use,
    compute.every_function_has_a_time_out_and_a_supported_python,
    compute.every_machine_has_a_time_out_and_writes_a_log,
    compute.every_job_has_a_time_out_and_leaves_retries_to_the_machine,
    compute.every_job_that_no_machine_waits_for_runs_by_the_clock_and_alone,
    compute.every_log_group_forgets_and_every_function_has_one,
    compute.functions_called_by_events_have_a_destination_for_failures,
    grants.every_machine_may_make_the_calls_of_its_states,
    grants.every_function_may_read_its_queue,
    grants.every_function_may_write_to_its_destination_for_failures,
    grants.every_function_may_write_its_own_log,
    grants.every_job_may_write_its_own_logs,
    grants.who_publishes_to_an_encrypted_topic_may_use_its_key,
    grants.who_reads_what_producers_put_may_decrypt_with_their_keys,
    queues.every_queue_is_encrypted,
    queues.every_queue_has_a_dead_letter_queue,
    queues.every_queue_speaks_tls_only,
    queues.messages_stay_hidden_for_six_time_outs,
    queues.every_consumer_reports_failed_messages_one_by_one,
    queues.every_rule_may_reach_its_targets_and_keeps_what_it_cannot_deliver,
    storage.every_bucket_is_encrypted,
    storage.every_bucket_blocks_public_access,
    storage.every_bucket_speaks_tls_only,
    storage.the_bucket_where_files_land_keeps_versions,
    storage.the_bucket_where_files_land_takes_only_what_can_be_read,
    storage.nothing_expires_where_files_land,
    storage.what_expires_leaves_no_version_behind,
    storage.every_table_is_encrypted_and_can_be_restored,
    storage.every_topic_is_encrypted_and_speaks_tls_only,
    storage.what_holds_data_outlives_the_stack,
    storage.a_failed_first_deployment_leaves_nothing_behind,
]
