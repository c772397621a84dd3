"""docs/security.md: its table of permissions matches the template, and every test that it names exists."""

import re
from pathlib import Path
from typing import Any

import pytest

from checks.translate import translated
from tests.permissions.statements import allows
from tests.template import Template, as_list, of_type, role_statements, statements, target

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
# Actions that change nothing, and the use of a key to publish. Every role writes logs.
READS = re.compile(
    r"\w+:(Get|BatchGet|List|Describe|Query|Scan|ReceiveMessage)\w*|kms:(Decrypt|GenerateDataKey)|logs:\w+"
)
Row = tuple[str, str, str]


def rows_of(heading: str) -> list[Row]:
    """Return the rows of all tables whose first column has this heading."""
    tables = [part.split("\n\n", 1)[0].splitlines()[2:] for part in PAGE.split(f"| {heading} |")[1:]]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for lines in tables for line in lines]
    return [(first, second, third) for first, second, third in rows]


def granted(template: Template) -> set[Row]:
    """Return who may change what, and how: one row for all places where a principal has the same actions."""
    places: dict[tuple[str, str], list[str]] = {}
    for name, statement in statements(template):
        actions = [action for action in as_list(statement["Action"]) if not READS.fullmatch(action)]
        if statement["Effect"] == "Allow" and actions:
            who = _principal(statement) or name
            places.setdefault((who, _listed(actions)), []).extend(_places(name, statement))
    for permission in of_type(template, "AWS::Lambda::Permission").values():
        who = f"{permission['Principal']} for {target(permission['SourceArn'])}"
        places.setdefault((who, f"`{permission['Action']}`"), []).append(target(permission["FunctionName"]))
    return {(who, _listed(where), how) for (who, how), where in places.items()}


def _principal(statement: dict[str, Any]) -> str:
    """Return the principal of a resource's policy, and the resource on whose behalf it acts."""
    principal = statement.get("Principal", {})
    if "AWS" in principal:
        return "the account"
    source = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn")
    behalf = f" for {target(source)}" if source else " for the account"
    return f"{principal['Service']}{behalf}" if principal else ""


def _places(name: str, statement: dict[str, Any]) -> list[str]:
    only = [str(value) for condition in statement.get("Condition", {}).values() for value in condition.values()]
    keys = f" only {only[0]}" if "FENCE#*" in only else ""
    # In a key policy, * means that key.
    places = [name if place == "*" else target(place) for place in as_list(statement["Resource"])]
    return [f"{place}{keys}" for place in places]


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(set(names)))


@pytest.fixture(scope="module")
def template() -> Template:
    return translated(ROOT / "template.yaml")


def test_table_of_permissions_matches_the_template(template):
    expected = granted(template)
    shown = rows_of("who")
    assert sorted(shown) == sorted(expected), "\n".join("| " + " | ".join(row) + " |" for row in sorted(expected))


def test_an_undocumented_grant_is_found(template):
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": {"Ref": "LandingBucket"}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": {"Statement": [statement]}}]}}
    changed = {"Resources": {**template["Resources"], "NewRole": role}}
    assert granted(changed) - granted(template) == {("NewRole", "`LandingBucket`", "`s3:PutObject`")}


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:GetObjectVersion"])
@pytest.mark.parametrize(
    ("place", "is_read"),
    [
        ("LandingBucket/incoming/a.csv", True),
        ("OtherBucket/incoming/a.csv", False),
        ("LakeBucket/incoming/a.csv", False),
        ("LandingBucket/elsewhere/a.csv", False),
    ],
)
def test_validate_reads_only_the_landing_prefixes_whatever_bucket_an_event_names(template, action, place, is_read):
    assert allows(role_statements(template, "ValidateRole"), action, place) is is_read


def test_every_external_input_names_its_tests():
    inputs = rows_of("what comes")
    assert len(inputs) > 35
    for external_input, _, tests in inputs:
        assert "`tests/" in tests, external_input


def test_every_named_file_exists():
    named = re.findall(r"`((?:tests|local|requirements|checks|functions|music_streams)/[^`*]+)`", PAGE)
    linked = [f"docs/{link}" for link in re.findall(r"\]\(([^)#]+)", PAGE)]
    assert named
    for path in [*named, *linked]:
        assert (ROOT / path).exists(), path


def test_every_retention_parameter_is_documented_with_its_default(template):
    documented = {
        parameter.strip("`"): how_long for _, how_long, parameter in rows_of("what is kept") if parameter != "none"
    }
    defaults = {name: str(each["Default"]) for name, each in template["Parameters"].items() if name.endswith("Days")}
    assert documented == {name: "for ever" if days == "0" else f"{days} days" for name, days in defaults.items()}


@pytest.mark.parametrize("name", ["ArchiveDays", "QuarantineDays"])
@pytest.mark.parametrize(
    ("days", "is_allowed"),
    [("0", True), ("15", True), ("100", True), ("9999", True)]
    + [(days, False) for days in ("", "1", "14", "-1", "015", "10000")],
)
def test_kept_files_expire_never_or_late(template, name, days, is_allowed):
    assert bool(re.fullmatch(template["Parameters"][name]["AllowedPattern"], days)) is is_allowed
