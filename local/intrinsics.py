"""CloudFormation's intrinsic functions."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from local.errors import TemplateError
from local.loose_types import Json

_VARIABLE = re.compile(r"\$\{(?P<literal>!)?(?P<name>[^}]*)\}")


class _NoValue:
    """AWS::NoValue: a property with this value is removed."""


NO_VALUE: Final = _NoValue()


class Resolver:
    """Resolves the values of one template.

    ref and attribute look up `Ref` and `Fn::GetAtt` of resources, and may create these first; values holds parameters
    and pseudo parameters.
    """

    def __init__(
        self,
        *,
        values: Mapping[str, Json],
        mappings: Mapping[str, Json],
        conditions: Mapping[str, Json],
        ref: Callable[[str], Json],
        attribute: Callable[[str, str], Json],
    ) -> None:
        self._values = values
        self._mappings = mappings
        self._conditions = conditions
        self._ref_resource = ref
        self._attribute = attribute
        self._functions: dict[str, Callable[[Json], Json]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
        }

    def resolve(self, value: Json) -> Json:
        """Return the value without intrinsic functions. Raises TemplateError for an unsupported function."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in self._functions:
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise TemplateError(f"the local cloud does not support the intrinsic function {name}")
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition(self, condition: Json) -> bool:
        """Return whether a condition, given by name or as an expression, is true."""
        if isinstance(condition, str):
            if condition not in self._conditions:
                raise TemplateError(f"the template has no condition {condition}")
            return self.condition(self._conditions[condition])
        ((name, argument),) = condition.items()
        match name:
            case "Fn::Equals":
                first, second = (str(self.resolve(item)) for item in argument)
                return first == second
            case "Fn::Not":
                return not self.condition(argument[0])
            case "Fn::And":
                return all(self.condition(item) for item in argument)
            case "Fn::Or":
                return any(self.condition(item) for item in argument)
            case "Condition":
                return self.condition(argument)
        raise TemplateError(f"the local cloud does not support the condition function {name}")

    def _ref(self, name: str) -> Json:
        return self._values[name] if name in self._values else self._ref_resource(name)

    def _get_att(self, argument: Json) -> Json:
        logical_id, _, attribute = (
            argument.partition(".") if isinstance(argument, str) else (argument[0], ".", argument[1])
        )
        return self._attribute(logical_id, self.resolve(attribute))

    def _sub(self, argument: Json) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else (argument[0], self.resolve(argument[1]))

        def replacement(match: re.Match[str]) -> str:
            name = match["name"]
            if match["literal"]:
                return f"${{{name}}}"
            if name in variables:
                return as_text(variables[name])
            if "." in name:
                return as_text(self._get_att(name))
            return as_text(self._ref(name))

        return _VARIABLE.sub(replacement, text)

    def _join(self, argument: Json) -> str:
        separator, items = argument
        return str(separator).join(as_text(item) for item in self.resolve(items))

    def _split(self, argument: Json) -> list[str]:
        separator, text = argument
        return str(self.resolve(text)).split(separator)

    def _select(self, argument: Json) -> Json:
        index, items = argument
        return self.resolve(items)[int(self.resolve(index))]

    def _if(self, argument: Json) -> Json:
        condition, if_true, if_false = argument
        return self.resolve(if_true if self.condition(condition) else if_false)

    def _find_in_map(self, argument: Json) -> Json:
        names = [self.resolve(item) for item in argument]
        value: Json = self._mappings
        for name in names:
            if name not in value:
                raise TemplateError(f"Fn::FindInMap: no {' / '.join(map(str, names))} in the template's Mappings")
            value = value[name]
        return value


def as_text(value: Json) -> str:
    """Return a value as text, as CloudFormation writes it inside a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
