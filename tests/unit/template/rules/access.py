"""Permissions: least privilege, and no access from other accounts."""

import re
from collections.abc import Iterator

from tests.template import Template, as_list, of_type, resource_statements, statements, target
from tests.unit.template.faults import add, arn, finds, grant, put, statement_of

# AWS supports no narrower resource for log delivery, for the results of a log query, and for the account's settings.
WITHOUT_RESOURCE = {
    *("logs:GetQueryResults", "lambda:GetAccountSettings", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies"),
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:DescribeLogGroups"),
}
WRITES_LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
GROUP_BY_NAME = re.compile(r"log-group:[^*?:]+:\*")  # the group and its streams
LOG_GROUP = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
LAMBDAS_POLICY = "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
EVERYBODY_READS = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


@finds(grant("ClaimRole", "s3:Get*", {"Fn::Sub": "${LakeBucket.Arn}/runs/*"}), "ClaimRole")
def no_statement_allows_a_wildcard_action(template: Template) -> Iterator[str]:
    for name, statement in statements(template):
        wild = [action for action in as_list(statement.get("Action", [])) if "*" in action]
        # Without this statement, nobody could change the key.
        administers_key = wild == ["kms:*"] and target(statement.get("Principal", {}).get("AWS", "")).endswith("root")
        if statement["Effect"] == "Allow" and (wild or "NotAction" in statement) and not administers_key:
            yield f"{name}: allows {wild or 'NotAction'}"


@finds(grant("ClaimRole", "sqs:SendMessage", "*"), "sqs:SendMessage")
def no_statement_allows_everything_as_its_resource(template: Template) -> Iterator[str]:
    keys = of_type(template, "AWS::KMS::Key")  # in a key policy, * means that key
    for name, statement in statements(template):
        if statement["Effect"] == "Allow" and name not in keys and "*" in as_list(statement.get("Resource", "*")):
            actions = set(as_list(statement.get("Action", "all")))
            if not actions <= WITHOUT_RESOURCE:
                yield f"{name}: allows {', '.join(sorted(actions - WITHOUT_RESOURCE))} on everything"


@finds(add("LakeBucketPolicy/PolicyDocument/Statement", EVERYBODY_READS), "LakeBucketPolicy")
def no_statement_allows_everybody(template: Template) -> Iterator[str]:
    for name, statement in resource_statements(template):
        principal = statement.get("Principal", "*")
        everybody = principal == "*" or "*" in [each for kind in principal.values() for each in as_list(kind)]
        if statement["Effect"] == "Allow" and everybody:
            yield f"{name}: allows everybody {statement['Action']}"


@finds(statement_of("ArrivalsQueuePolicy", "OnlyTheRuleSends", Condition={}), "ArrivalsQueuePolicy")
def services_act_for_this_stack_only(template: Template) -> Iterator[str]:
    """AWS services act for other accounts too: without a source, any account could get access through them."""
    for name, statement in resource_statements(template):
        if statement["Effect"] != "Allow" or "Service" not in statement["Principal"]:
            continue
        conditions = {key for condition in statement.get("Condition", {}).values() for key in condition}
        if not conditions & {"aws:SourceArn", "aws:SourceAccount"}:
            yield f"{name}: {statement['Principal']['Service']} may act for anybody"
    for name, permission in of_type(template, "AWS::Lambda::Permission").items():
        if not {"SourceArn", "SourceAccount"} & set(permission):
            yield f"{name}: {permission['Principal']} may act for anybody"


@finds(put("ClaimFunction/Role", arn("SettleRole")), "SettleRole")
def every_program_has_its_own_role(template: Template) -> Iterator[str]:
    users: dict[str, list[str]] = {}
    programs = of_type(template, "AWS::Lambda::Function", "AWS::Glue::Job", "AWS::StepFunctions::StateMachine")
    for name, program in programs.items():
        users.setdefault(target(program.get("Role") or program["RoleArn"]), []).append(name)
    for role, names in users.items():
        if len(names) > 1:
            yield f"{role}: shared by {', '.join(names)}"
        if role not in of_type(template, "AWS::IAM::Role"):
            yield f"{names[0]}: its role {role} is not of the template"


@finds(put("SettleRole/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]), "SettleRole")
@finds(put("SettleRole/ManagedPolicyArns", [{"Fn::Sub": LAMBDAS_POLICY}]), "SettleRole")
def no_role_has_an_aws_managed_policy(template: Template) -> Iterator[str]:
    """AWS changes its policies, and they name no resource of the stack: the one for logs allows every log group."""
    for kind in ("Role", "User", "Group"):
        for name, holder in of_type(template, f"AWS::IAM::{kind}").items():
            for policy in holder.get("ManagedPolicyArns", []):
                if target(policy) not in of_type(template, "AWS::IAM::ManagedPolicy"):
                    yield f"{name}: {target(policy)} grants more than its program needs"


@finds(grant("ClaimRole", "logs:PutLogEvents", {"Fn::Sub": f"{LOG_GROUP}*"}), "ClaimRole")
@finds(grant("TransformRole", "logs:CreateLogStream", {"Fn::Sub": f"{LOG_GROUP}/aws-glue/*"}), "TransformRole")
def permissions_to_write_logs_name_the_groups(template: Template) -> Iterator[str]:
    """A program must not be able to forge another program's log lines."""
    groups = of_type(template, "AWS::Logs::LogGroup")
    for name, statement in statements(template):
        if statement["Effect"] == "Allow" and set(as_list(statement.get("Action", []))) & WRITES_LOGS:
            for resource in map(target, as_list(statement["Resource"])):
                if resource not in groups and not GROUP_BY_NAME.fullmatch(resource):
                    yield f"{name}: may write to any log group that matches {resource}"
