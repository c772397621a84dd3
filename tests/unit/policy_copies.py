"""Finds repeated policy values in programs: a number whose name, or a text whose words, give it a value's meaning."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from music_streams import policy

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(
    path
    for folder in ("music_streams", "music_streams_cli", "plugins", "dags", "functions", "glue")
    for path in (ROOT / folder).rglob("*.py")
    if path != ROOT / "music_streams" / "policy.py" and not {"build", "__pycache__"} & set(path.parts)
)
_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_IN_WORDS = {3: "three"}


def values() -> dict[str, float]:
    """Return every value of the policy by its name, in the order of the module."""
    return {name: value for name, value in vars(policy).items() if name.isupper()}


_WAITS = {60.0 * value for name, value in values().items() if name.endswith("_MINUTES")}
_WAITS |= {3600.0 * value for name, value in values().items() if name.endswith("_HOURS")}
_WAITS |= {policy.COMMAND_WAIT_SECONDS, policy.DEMO_WAIT_SECONDS}

# The meaning of a number is recognized by words in the names that it is assigned to, passed as, or compared with.
_MEANINGS: list[tuple[set[float], re.Pattern[str]]] = [
    ({policy.STALL_SECONDS}, re.compile(r"grace|idle|stall")),
    ({policy.LATENCY_SLA_SECONDS}, re.compile(r"target|promise|sla(_|$)|late(_|$)|overdue|waited|\bage\b")),
    ({policy.ATTEMPTS_BEFORE_QUARANTINE, policy.ALONE_AFTER_ATTEMPTS}, re.compile(r"failures|attempts?(_|$)|alone")),
    ({policy.MAX_REPAIRS, policy.MOST_REPAIRS}, re.compile(r"repair|redrive|^most$")),
    ({policy.DAYS_PER_REBUILD}, re.compile(r"days_per|rebuild")),
    (_WAITS, re.compile(r"patience|timeout|deadline|overdue|time_to_|wait")),
    ({policy.VALIDATE_FILE_SHARE, policy.ERASE_FILE_SHARE}, re.compile(r"file_share")),
    ({86_400 * policy.SNAPSHOTS_KEPT_DAYS, policy.SNAPSHOTS_KEPT_DAYS}, re.compile(r"kept|snapshot")),
    ({policy.BACKFILL_DAYS_AT_ONCE, policy.FAILURES_AT_ONCE}, re.compile(r"max_active_runs")),
    ({policy.BATCH_SIZE}, re.compile(r"batch_size")),
    ({policy.BATCH_WINDOW_SECONDS}, re.compile(r"window_seconds|batch_window")),
    ({policy.TRANSFORM_CONCURRENCY}, re.compile(r"transform_concurrency")),
    ({policy.TRANSFORM_LEAST_WORKERS}, re.compile(r"least_workers")),
    ({policy.TRANSFORM_MOST_WORKERS}, re.compile(r"most_workers")),
    ({policy.RELEASE_CHECK_SECONDS}, re.compile(r"seconds_to_validate|release")),
]
_AMOUNTS = (
    rf"\b({policy.LATENCY_SLA_SECONDS}|{policy.STALL_SECONDS}) (s|seconds)\b",
    rf"\b({policy.LATENCY_SLA_SECONDS // 60}|fifteen) minutes\b|quarter of an hour",
    rf"failed ({policy.ATTEMPTS_BEFORE_QUARANTINE}|{_IN_WORDS[policy.ATTEMPTS_BEFORE_QUARANTINE]}) times",
    rf"({policy.ATTEMPTS_BEFORE_QUARANTINE}|{_IN_WORDS[policy.ATTEMPTS_BEFORE_QUARANTINE]}) (failed )?attempts",
    rf"\*/{policy.RECONCILE_EVERY_MINUTES} ",
)
_TEXT = re.compile("|".join(_AMOUNTS))


def copies(source: str) -> list[str]:
    """Return the lines that repeat a value of the policy, each with the number or the text."""
    tree = ast.parse(source)
    repeated = {
        (node.lineno, f"{name} {value:g}")
        for node, name, value in _numbers(tree)
        if any(value in numbers and meaning.search(name.lower()) for numbers, meaning in _MEANINGS)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (match := _TEXT.search(node.value)):
            repeated.add((node.lineno, match[0].strip()))
    return [f"line {line}: {value}: take it from music_streams.policy" for line, value in sorted(repeated)]


def _numbers(tree: ast.AST) -> Iterator[tuple[Any, str, float]]:
    """Yield each number with a name that it is bound to."""
    for node in ast.walk(tree):
        for name, value in _bound(node):
            if value is not None and (number := _number(value)) is not None:
                yield value, name, number


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((ast.unparse(target), value) for target in targets)
        case ast.AnnAssign(target=target, value=value):
            yield ast.unparse(target), value
        case ast.keyword(arg=str(name), value=value):
            yield name, value
        case ast.arguments():
            positional = [*node.posonlyargs, *node.args]
            with_default = positional[len(positional) - len(node.defaults) :]
            yield from ((argument.arg, value) for argument, value in zip(with_default, node.defaults, strict=True))
            keyword_only = zip(node.kwonlyargs, node.kw_defaults, strict=True)
            yield from ((argument.arg, value) for argument, value in keyword_only)
        case ast.Compare(left=left, comparators=others):
            sides = [left, *others]
            yield from ((ast.unparse(one), other) for one in sides for other in sides if one is not other)
        case ast.Dict(keys=keys, values=of_keys):  # the first argument of a Param is its default
            for key, value in zip(keys, of_keys, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value), value.args[0] if isinstance(value, ast.Call) and value.args else value
        case ast.Call(func=function, args=arguments):
            yield from ((ast.unparse(function), value) for value in arguments)


def _number(node: ast.expr) -> float | None:
    """Return the value of a numeric expression, a timedelta in seconds; None for any other expression."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("timedelta") and not node.args:
        parts = [(_SECONDS.get(keyword.arg or ""), _number(keyword.value)) for keyword in node.keywords]
        known = [unit * amount for unit, amount in parts if unit is not None and amount is not None]
        return sum(known) if known and len(known) == len(parts) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = _number(node.left), _number(node.right)
        return left * right if left is not None and right is not None else None
    is_number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return float(node.value) if is_number and not isinstance(node.value, bool) else None  # type: ignore[attr-defined]  # a constant
