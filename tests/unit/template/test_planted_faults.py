"""The gate catches what it is there for: each fault of the table, planted into a copy, is found by the check beside it.

Every rule has a fault here, so none of them is idle; a copy without a fault passes them all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.errors import TemplateError
from tests.template import Rule, as_list
from tests.unit.template.copies import (
    Change,
    Copy,
    Findings,
    asl_validator,
    cfn_lint,
    checkov,
    make_copy,
    sam_validate,
    translate_copy,
)
from tests.unit.template.rules import RULES, access, alarms, compute, grants, queues, storage, thresholds


@dataclass(frozen=True)
class Fault:
    """Something wrong, how it gets into a copy, what finds it, and where the finding must point."""

    what: str
    plant: Change
    found_by: Rule | str
    at: str


# ── How faults are planted ────────────────────────────────────────────────────────────────────────────────────────


def put(path: str, value: Any) -> Change:
    """Set a property: ``ArrivalsQueue/VisibilityTimeout``."""

    def change(resources, _machine):
        holder, last = _holder(resources, path)
        holder[last] = value

    return change


def drop(path: str) -> Change:
    """Remove a property; it must be there."""

    def change(resources, _machine):
        holder, last = _holder(resources, path)
        del holder[last]

    return change


def _holder(resources, path: str) -> tuple[Any, Any]:
    name, *steps, last = path.split("/")
    holder = resources[name]["Properties"]
    for step in steps:
        holder = holder[int(step) if isinstance(holder, list) else step]
    return holder, int(last) if isinstance(holder, list) else last


def attribute(path: str, value: Any) -> Change:
    """Set an attribute beside the properties: ``LakeBucket/DeletionPolicy``."""
    name, key = path.split("/")
    return lambda resources, _machine: resources[name].update({key: value})


def remove(name: str) -> Change:
    return lambda resources, _machine: resources.pop(name)


def revoke(role: str, action: str) -> Change:
    """Take an action from every statement of a role."""

    def change(resources, _machine):
        policies = resources[role]["Properties"]["Policies"]
        statements = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
        assert any(action in as_list(statement["Action"]) for statement in statements)
        for statement in statements:
            statement["Action"] = [each for each in as_list(statement["Action"]) if each != action] or [
                "tag:GetTagKeys"
            ]

    return change


def grant(role: str, action: str, resource: Any) -> Change:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return lambda resources, _machine: _role_statements(resources, role).append(statement)


def _role_statements(resources, role: str) -> list[dict[str, Any]]:
    """The statements of a role's own policy; that for logs, if there is one, comes first and is the same for many."""
    return resources[role]["Properties"]["Policies"][-1]["PolicyDocument"]["Statement"]


def log_groups(name: str) -> Any:
    """The log groups of the account with a name."""
    return {"Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:" + name}


def statement_of(policy: str, sid: str, **changes: Any) -> Change:
    """Change a statement of a resource's policy, or of a key's."""

    def change(resources, _machine):
        properties = resources[policy]["Properties"]
        document = properties.get("PolicyDocument") or properties["KeyPolicy"]
        [found] = [each for each in document["Statement"] if each["Sid"] == sid]
        found.update(changes)

    return change


def lifecycle_rule(bucket: str, rule: dict[str, Any]) -> Change:
    """Add a rule to a bucket's lifecycle."""
    return lambda r, _machine: r[bucket]["Properties"]["LifecycleConfiguration"]["Rules"].append(rule)


def state(name: str, **changes: Any) -> Change:
    """Change a state of the machine."""
    return lambda _resources, machine: machine["States"][name].update(changes)


def machine(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda _resources, definition: change(definition)


def dashboard(old: str, new: str) -> Change:
    """Replace a text in the dashboard's body."""

    def change(resources, _machine):
        body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        assert old in body[0]
        body[0] = body[0].replace(old, new)

    return change


EXPIRE_ALL = {"Id": "tidy", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
EXPIRE_SONGS = {"Id": "tidy", "Status": "Enabled", "Prefix": "reference/songs/", "ExpirationInDays": 30}
EXPIRE_EARLY = {"Id": "tidy", "Status": "Enabled", "Prefix": "inc", "ExpirationInDays": {"Ref": "ArchiveDays"}}
EVERYBODY_READS = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}

FAULTS = [
    # Thresholds are set in one place
    Fault(
        "an alarm with a threshold of its own",
        put("LateFilesAlarm/Threshold", 900),
        thresholds.every_threshold_of_an_alarm_is_a_parameter,
        "LateFilesAlarm",
    ),
    Fault(
        "an alarm that names the default of a parameter",
        put("LateFilesAlarm/AlarmDescription", "A file waits for its metrics for longer than 15 minutes."),
        thresholds.no_text_of_an_alarm_repeats_the_value_of_a_parameter,
        "LateFilesAlarm: says 15 minutes",
    ),
    Fault(
        "a graph with a line at the default of a parameter",
        dashboard("${LatencySlaSeconds}", "900"),
        thresholds.every_line_across_a_graph_is_a_parameter,
        '"value": 900',
    ),
    # Nothing lost, nothing open: storage
    Fault("unencrypted bucket", drop("LakeBucket/BucketEncryption"), storage.every_bucket_is_encrypted, "LakeBucket"),
    Fault(
        "public bucket policies not blocked",
        put("LakeBucket/PublicAccessBlockConfiguration/RestrictPublicBuckets", False),
        storage.every_bucket_blocks_public_access,
        "RestrictPublicBuckets",
    ),
    Fault(
        "objects, unlike their bucket, by plain HTTP",
        statement_of("LandingBucketPolicy", "TlsOnly", Resource=[{"Fn::GetAtt": ["LandingBucket", "Arn"]}]),
        storage.every_bucket_speaks_tls_only,
        "LandingBucket",
    ),
    Fault(
        "landing bucket takes archived objects",
        statement_of("LandingBucketPolicy", "NoArchiveClasses", Effect="Allow"),
        storage.the_bucket_where_files_land_takes_only_what_can_be_read,
        "LandingBucket",
    ),
    Fault(
        "landing bucket takes objects under a customer's key",
        statement_of("LandingBucketPolicy", "NoKeysOfCustomers", Resource=[{"Fn::GetAtt": ["LandingBucket", "Arn"]}]),
        storage.the_bucket_where_files_land_takes_only_what_can_be_read,
        "LandingBucket",
    ),
    Fault(
        "landing bucket takes objects under any KMS key",
        statement_of(
            "LandingBucketPolicy",
            "NoKeysThatAreNotOurs",
            Condition={"StringEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        ),
        storage.the_bucket_where_files_land_takes_only_what_can_be_read,
        "LandingBucket",
    ),
    Fault(
        "landing bucket refuses every encryption",
        statement_of("LandingBucketPolicy", "NoKeysThatAreNotOurs", Condition={"Null": {"aws:x": "true"}}),
        storage.the_bucket_where_files_land_takes_only_what_can_be_read,
        "LandingBucket",
    ),
    Fault(
        "landing bucket without versions",
        drop("LandingBucket/VersioningConfiguration"),
        storage.the_bucket_where_files_land_keeps_versions,
        "LandingBucket",
    ),
    Fault(
        "a tidy-up rule reaches everything",
        lifecycle_rule("LandingBucket", EXPIRE_ALL),
        storage.nothing_expires_where_files_land,
        "tidy expires what lies anywhere",
    ),
    Fault(
        "a tidy-up rule reaches incoming/, where a parameter says so",
        lifecycle_rule("LandingBucket", {"Fn::If": ["ArchiveExpires", EXPIRE_EARLY, {"Ref": "AWS::NoValue"}]}),
        storage.nothing_expires_where_files_land,
        "tidy expires what lies under incoming/",
    ),
    Fault(
        "a tidy-up rule reaches reference files",
        lifecycle_rule("LandingBucket", EXPIRE_SONGS),
        storage.nothing_expires_where_files_land,
        "tidy expires what lies under reference/",
    ),
    Fault(
        "expired files live on as versions",
        drop("LandingBucket/LifecycleConfiguration/Rules/0/Fn::If/1/NoncurrentVersionExpiration"),
        storage.what_expires_leaves_no_version_behind,
        "expire-archive",
    ),
    Fault(
        "table that cannot be restored",
        drop("FilesTable/PointInTimeRecoverySpecification"),
        storage.every_table_is_encrypted_and_can_be_restored,
        "FilesTable",
    ),
    Fault(
        "topic without a key",
        drop("AlertsTopic/KmsMasterKeyId"),
        storage.every_topic_is_encrypted_and_speaks_tls_only,
        "AlertsTopic",
    ),
    Fault(
        "table deleted with the stack",
        attribute("MetricsTable/DeletionPolicy", "Delete"),
        storage.what_holds_data_outlives_the_stack,
        "MetricsTable",
    ),
    Fault(
        "table deleted when an update replaces it",
        attribute("MetricsTable/UpdateReplacePolicy", "Delete"),
        storage.what_holds_data_outlives_the_stack,
        "MetricsTable: UpdateReplacePolicy",
    ),
    Fault(
        "database that a failed first deployment leaves behind",
        attribute("LakeDatabase/DeletionPolicy", "Retain"),
        storage.a_failed_first_deployment_leaves_nothing_behind,
        "LakeDatabase",
    ),
    Fault(
        "policy that CloudFormation does not know for replacements",
        attribute("LakeDatabase/UpdateReplacePolicy", "RetainExceptOnCreate"),
        "cfn-lint on the source",
        "E3036 'RetainExceptOnCreate'",
    ),
    # Nothing dropped: queues and rules
    Fault(
        "unencrypted queue",
        drop("ArrivalsDeadLetterQueue/SqsManagedSseEnabled"),
        queues.every_queue_is_encrypted,
        "ArrivalsDeadLetterQueue",
    ),
    Fault(
        "queue without a dead-letter queue",
        drop("ArrivalsQueue/RedrivePolicy"),
        queues.every_queue_has_a_dead_letter_queue,
        "ArrivalsQueue",
    ),
    Fault(
        "queue by plain HTTP",
        statement_of("FailuresQueuePolicy", "TlsOnly", Effect="Allow"),
        queues.every_queue_speaks_tls_only,
        "FailuresDeadLetterQueue",
    ),
    Fault(
        "message back while it is worked on",
        put("ArrivalsQueue/VisibilityTimeout", 600),
        queues.messages_stay_hidden_for_six_time_outs,
        "ArrivalsQueue",
    ),
    Fault(
        "one bad message fails its batch",
        drop("ValidateFunction/Events/Arrivals/Properties/FunctionResponseTypes"),
        queues.every_consumer_reports_failed_messages_one_by_one,
        "ValidateFunction",
    ),
    Fault(
        "rule that may not send to its queue",
        statement_of("ArrivalsQueuePolicy", "OnlyTheRuleSends", Resource=[{"Fn::GetAtt": ["ArrivalsQueue", "Arn"]}]),
        queues.every_rule_may_reach_its_targets_and_keeps_what_it_cannot_deliver,
        "ArrivalsDeadLetterQueue",
    ),
    Fault(
        "rule that may not call its function",
        remove("RecordFailurePermission"),
        queues.every_rule_may_reach_its_targets_and_keeps_what_it_cannot_deliver,
        "RecordFailureFunction",
    ),
    # Who may do what
    Fault(
        "wildcard action",
        grant("ClaimRole", "s3:Get*", {"Fn::Sub": "${LakeBucket.Arn}/runs/*"}),
        access.no_statement_allows_a_wildcard_action,
        "ClaimRole",
    ),
    Fault(
        "action on everything",
        grant("ClaimRole", "sqs:SendMessage", "*"),
        access.no_statement_allows_everything_as_its_resource,
        "sqs:SendMessage",
    ),
    Fault(
        "bucket open to everybody",
        lambda r, _: r["LakeBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"].append(EVERYBODY_READS),
        access.no_statement_allows_everybody,
        "LakeBucketPolicy",
    ),
    Fault(
        "any account's rules may send",
        statement_of("ArrivalsQueuePolicy", "OnlyTheRuleSends", Condition={}),
        access.services_act_for_this_stack_only,
        "ArrivalsQueuePolicy",
    ),
    Fault(
        "two functions share a role",
        put("ClaimFunction/Role", {"Fn::GetAtt": ["SettleRole", "Arn"]}),
        access.every_program_has_a_role_of_its_own,
        "SettleRole",
    ),
    Fault(
        "administrator",
        put("SettleRole/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
        access.roles_take_no_policy_of_aws,
        "SettleRole",
    ),
    Fault(
        "any log group by AWS's own policy",
        put(
            "SettleRole/ManagedPolicyArns",
            [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}],
        ),
        access.roles_take_no_policy_of_aws,
        "SettleRole",
    ),
    Fault(
        "any log group of the account",
        grant("ClaimRole", "logs:PutLogEvents", log_groups("*")),
        access.who_writes_logs_names_the_groups,
        "ClaimRole",
    ),
    Fault(
        "the logs of every job of the account",
        grant("TransformRole", "logs:CreateLogStream", log_groups("/aws-glue/*")),
        access.who_writes_logs_names_the_groups,
        "TransformRole",
    ),
    Fault(
        "function that may not log",
        revoke("MeasureRole", "logs:PutLogEvents"),
        grants.every_function_may_write_its_own_log,
        "MeasureFunction: its role does not grant logs:PutLogEvents",
    ),
    Fault(
        "job that may not log",
        revoke("LoadRole", "logs:CreateLogGroup"),
        grants.every_job_may_write_its_own_logs,
        "LoadJob: its role does not grant logs:CreateLogGroup",
    ),
    # Ends in time, and says what it did
    Fault(
        "runtime that is too old",
        put("ArchiveFunction/Runtime", "python3.9"),
        compute.every_function_has_a_time_out_and_a_supported_python,
        "ArchiveFunction",
    ),
    Fault(
        "machine without a time-out",
        machine(lambda definition: definition.pop("TimeoutSeconds")),
        compute.every_machine_has_a_time_out_and_writes_a_log,
        "ProcessStreams",
    ),
    Fault(
        "job without a time-out",
        drop("TransformJob/Timeout"),
        compute.every_job_has_a_time_out_and_leaves_retries_to_the_machine,
        "TransformJob",
    ),
    Fault(
        "second run by the job's own retry",
        put("LoadJob/MaxRetries", 1),
        compute.every_job_has_a_time_out_and_leaves_retries_to_the_machine,
        "LoadJob",
    ),
    Fault(
        "maintenance that never begins",
        drop("MaintainTrigger/StartOnCreation"),
        compute.every_job_that_no_machine_waits_for_runs_by_the_clock_and_alone,
        "MaintainJob: nothing starts it",
    ),
    Fault(
        "two maintenances at once",
        put("MaintainJob/ExecutionProperty/MaxConcurrentRuns", 2),
        compute.every_job_that_no_machine_waits_for_runs_by_the_clock_and_alone,
        "MaintainJob: two runs",
    ),
    Fault(
        "logs kept for ever",
        drop("FunctionLogs/RetentionInDays"),
        compute.every_log_group_forgets_and_every_function_has_one,
        "FunctionLogs",
    ),
    Fault(
        "failed event without a destination",
        drop("RecordFailureFunction/EventInvokeConfig/DestinationConfig"),
        compute.functions_called_by_events_have_a_destination_for_failures,
        "RecordFailureFunction",
    ),
    # Heard of
    Fault(
        "dead letters in silence",
        remove("FailuresDeadLettersAlarm"),
        alarms.every_failure_mode_has_an_alarm,
        "FailuresDeadLetterQueue",
    ),
    Fault(
        "files late in silence",
        remove("LateFilesAlarm"),
        alarms.every_failure_mode_has_an_alarm,
        "measure: no alarm on music-streams OldestFileAge",
    ),
    Fault(
        "no arrivals in silence",
        remove("NoArrivalsAlarm"),
        alarms.every_failure_mode_has_an_alarm,
        "validate: no alarm on music-streams FilesReceived",
    ),
    Fault(
        "rows rejected in silence",
        drop("RejectedRowsAlarm/Metrics/1"),
        alarms.every_failure_mode_has_an_alarm,
        "settle: no alarm on music-streams RowsRejected",
    ),
    Fault(
        "runs in vain in silence",
        drop("RefusedItemsAlarm/Metrics/1"),
        alarms.every_failure_mode_has_an_alarm,
        "settle: no alarm on music-streams ItemsRefused",
    ),
    Fault(
        "alarm that takes silence for health",
        put("LateFilesAlarm/TreatMissingData", "notBreaching"),
        alarms.alarms_on_what_is_measured_by_the_clock_ring_when_that_ends,
        "LateFilesAlarm",
    ),
    Fault(
        "alarm whose silence nobody hears of",
        drop("LateFilesAlarm/InsufficientDataActions"),
        alarms.alarms_on_what_is_measured_by_the_clock_ring_when_that_ends,
        "LateFilesAlarm",
    ),
    Fault(
        "alarm on a new stack",
        put("LateFilesAlarm/TreatMissingData", "breaching"),
        alarms.no_alarm_rings_before_anything_was_measured,
        "LateFilesAlarm: rings on a new stack",
    ),
    Fault(
        "alarm on a metric that nobody tells",
        put("NoArrivalsAlarm/Dimensions/0/Value", "settle"),
        alarms.every_alarm_on_a_metric_of_our_own_names_one_that_is_told,
        "NoArrivalsAlarm: settle tells no FilesReceived",
    ),
    Fault(
        "failed maintenance in silence",
        put("FailedMaintenanceRule/EventPattern/detail/state", ["FAILED"]),
        alarms.every_job_that_no_machine_waits_for_has_a_rule_on_its_failures,
        "MaintainJob",
    ),
    Fault(
        "alarm that rings nowhere",
        drop("ArrivalsDeadLettersAlarm/AlarmActions"),
        alarms.every_alarm_reaches_the_operators,
        "ArrivalsDeadLettersAlarm",
    ),
    Fault(
        "topic under AWS's own key, which alarms may not use",
        put("AlertsTopic/KmsMasterKeyId", "alias/aws/sns"),
        alarms.topics_of_alarms_have_a_key_that_alarms_may_use,
        "AlertsTopic",
    ),
    Fault(
        "key that alarms may not use",
        statement_of("AlertsKey", "AlarmsPublish", Action=["kms:Decrypt"]),
        alarms.topics_of_alarms_have_a_key_that_alarms_may_use,
        "AlertsKey",
    ),
    # May do its work
    Fault(
        "machine that may not stop its job",
        revoke("ProcessStreamsRole", "glue:BatchStopJobRun"),
        grants.every_machine_may_make_the_calls_of_its_states,
        "glue:BatchStopJobRun",
    ),
    Fault(
        "machine that may start any other function",
        lambda r, _machine: r["ProcessStreamsRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(
            {
                "Effect": "Allow",
                "Action": "lambda:InvokeFunction",
                "Resource": {"Fn::GetAtt": ["MeasureFunction", "Arn"]},
            }
        ),
        grants.no_machine_may_make_other_calls,
        "lambda:InvokeFunction on MeasureFunction",
    ),
    Fault(
        "function that may not delete what it took",
        revoke("ValidateRole", "sqs:DeleteMessage"),
        grants.every_function_may_read_its_queue,
        "sqs:DeleteMessage",
    ),
    Fault(
        "failure that may not be kept",
        revoke("RecordFailureRole", "sqs:SendMessage"),
        grants.every_function_may_write_to_its_destination_for_failures,
        "RecordFailureFunction",
    ),
    Fault(
        "alert that may not be encrypted",
        revoke("SettleRole", "kms:GenerateDataKey"),
        grants.who_publishes_to_an_encrypted_topic_may_use_its_key,
        "SettleFunction",
    ),
    Fault(
        "a reader of what producers put without the right to their keys",
        put("ProducerKeysPolicy/Roles", [{"Ref": name} for name in ("ValidateRole", "ArchiveRole", "TransformRole")]),
        grants.who_reads_what_producers_put_may_decrypt_with_their_keys,
        "SettleRole: reads",
    ),
    Fault(
        "producers' keys for everything",
        put("ProducerKeysPolicy/PolicyDocument/Statement/0/Condition", {}),
        grants.who_reads_what_producers_put_may_decrypt_with_their_keys,
        "elsewhere than in S3",
    ),
    Fault(
        "more keys than those of producers",
        put("ProducerKeysPolicy/PolicyDocument/Statement/0/Resource", [{"Ref": "ProducerKeyArns"}, "*"]),
        grants.who_reads_what_producers_put_may_decrypt_with_their_keys,
        "exactly the keys",
    ),
    # What tools know
    Fault("SAM property that is none", put("ClaimFunction/Timeot", 3), "sam validate", "Timeot"),
    Fault("event without its queue", drop("ValidateFunction/Events/Arrivals/Properties/Queue"), "translation", "Queue"),
    Fault(
        "attribute that is none",
        put("ClaimFunction/Environment/Variables/INDEX", {"Fn::GetAtt": ["FilesTable", "IndexArn"]}),
        "cfn-lint on the source",
        "IndexArn",
    ),
    Fault("runtime that is none", put("ClaimFunction/Runtime", "python3.99"), "cfn-lint translated", "python3.99"),
    Fault(
        "misspelt action",
        grant("ClaimRole", "dynamodb:UpdateItems", {"Fn::GetAtt": ["FilesTable", "Arn"]}),
        "cfn-lint translated",
        "updateitems",
    ),
    Fault("key that is never rotated", put("AlertsKey/EnableKeyRotation", False), "checkov", "AlertsKey"),
    Fault("bucket that everybody lists", put("LakeBucket/AccessControl", "PublicRead"), "checkov", "LakeBucket"),
    Fault("next state that is none", state("Load metrics", Next="Settle source"), "asl-validator", "Settle source"),
    Fault("first state that is none", machine(lambda d: d.update(StartAt="Claim")), "asl-validator", "Claim"),
    Fault("state that both ends and goes on", state("Load metrics", End=True), "asl-validator", "Load metrics"),
    Fault(
        "state that is never reached",
        machine(lambda d: d["States"].update(Lost={"Type": "Succeed"})),
        "asl-validator",
        "Lost",
    ),
    Fault("misspelt field", state("Load metrics", ResultPth=None), "asl-validator", "Load metrics"),
    Fault("type that is none", state("Load metrics", Type="Tsak"), "asl-validator", "Load metrics"),
    Fault("retry of nothing", state("Load metrics", Retry=[{"MaxAttempts": 2}]), "asl-validator", "Load metrics"),
    Fault("path that is none", state("Load metrics", InputPath="manifest"), "asl-validator", "Load metrics"),
    Fault(
        "choice without a comparison",
        machine(
            lambda d: next(each for each in d["States"].values() if each["Type"] == "Choice")["Choices"][0].clear()
        ),
        "asl-validator",
        "/Choices/0",
    ),
]

TOOLS: dict[str, tuple[Callable[[list[Path]], Findings], str]] = {
    "sam validate": (sam_validate, "template"),
    "cfn-lint on the source": (cfn_lint, "template"),
    "cfn-lint translated": (cfn_lint, "translated"),
    "checkov": (checkov, "translated"),
    "asl-validator": (asl_validator, "machine"),
}
OF_TOOLS = [fault for fault in FAULTS if fault.found_by in TOOLS]
OF_RULES = [fault for fault in FAULTS if not isinstance(fault.found_by, str)]


@pytest.mark.parametrize("fault", OF_RULES, ids=lambda fault: fault.what)
def test_a_rule_finds(fault, tmp_path):
    assert callable(fault.found_by)
    findings = list(fault.found_by(translate_copy(make_copy(tmp_path, fault.plant))))
    assert any(fault.at in finding for finding in findings), findings


def test_every_rule_has_a_fault_that_it_finds():
    assert {fault.found_by for fault in OF_RULES} == set(RULES)


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.found_by == "translation"], ids=lambda fault: fault.what)
def test_the_translation_finds(fault, tmp_path):
    with pytest.raises(TemplateError, match=fault.at):
        translate_copy(make_copy(tmp_path, fault.plant))


@pytest.fixture(scope="module")
def findings_of_tools(tmp_path_factory) -> dict[str, list[str]]:
    """By fault: starting a tool takes longer than its work, so each is given all its copies at once."""
    found: dict[str, list[str]] = {}
    for tool, (check, what) in TOOLS.items():
        plants: dict[str, Change] = {fault.what: fault.plant for fault in OF_TOOLS if fault.found_by == tool}
        paths: dict[str, Path] = {}
        for number, (fault, plant) in enumerate({**plants, tool: lambda _resources, _machine: None}.items()):
            copy: Copy = make_copy(tmp_path_factory.mktemp("copy") / str(number), plant)
            if what == "translated":
                translate_copy(copy)
            paths[fault] = getattr(copy, what)
        by_path = check(list(paths.values()))
        found |= {fault: by_path.get(path, []) for fault, path in paths.items()}
    return found


@pytest.mark.parametrize("fault", OF_TOOLS, ids=lambda fault: f"{fault.found_by}: {fault.what}")
def test_a_tool_finds(fault, findings_of_tools):
    found = findings_of_tools[fault.what]
    assert any(fault.at in finding for finding in found), found


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_finds_nothing_where_nothing_is_wrong(tool, findings_of_tools):
    assert findings_of_tools[tool] == []
