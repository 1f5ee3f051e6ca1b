"""Makes any answer satisfy the JSON schema that was asked for, keeping what already fits."""

from collections.abc import Mapping
from typing import Any

import jsonschema


class Unsatisfiable(Exception):
    """The schema uses something that the analyst cannot fill in."""


def conform(candidate: Any, schema: Mapping[str, Any]) -> Any:
    """The candidate, cut and filled until the schema accepts it. Raises Unsatisfiable."""
    result = _fit(candidate, schema, schema)
    try:
        jsonschema.Draft202012Validator(schema).validate(result)
    except (jsonschema.ValidationError, jsonschema.SchemaError) as error:
        raise Unsatisfiable(f"cannot answer with this schema: {error.message}") from error
    return result


def _fit(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        same = [one for one in schema["enum"] if _is_same(one, value)]
        return same[0] if same else schema["enum"][0]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return _fit_one_of(value, schema[keyword], root)
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        return _fit_one_of(value, [{**schema, "type": one} for one in kind], root)
    fitters = {
        "object": _fit_object,
        "array": _fit_array,
        "string": _fit_string,
        "integer": _fit_number,
        "number": _fit_number,
    }
    if kind in fitters:
        return fitters[kind](value, schema, root)
    if kind == "boolean":
        return bool(value)
    return value if kind is None else None


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    if not reference.startswith("#/"):
        raise Unsatisfiable(f"cannot follow {reference}")
    target: Any = root
    for part in reference[2:].split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _fit_one_of(value: Any, options: Any, root: Mapping[str, Any]) -> Any:
    """The first option that takes the value as it is, else the first filled in."""
    fitted = [_fit(value, option, root) for option in options]
    same = [one for one in fitted if _is_same(one, value)]
    return same[0] if same else fitted[0]


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON knows it: true is not 1."""
    return type(one) is type(other) and bool(one == other)


def _fit_object(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    given = value if isinstance(value, dict) else {}
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    wanted = [name for name in properties if name in given or name in required]
    return {name: _fit(given.get(name), properties[name], root) for name in wanted}


def _fit_array(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Any]:
    items = list(value) if isinstance(value, list) else []
    items = items[: schema.get("maxItems", len(items))]
    items += [None] * (schema.get("minItems", 0) - len(items))
    return [_fit(item, schema.get("items", {}), root) for item in items]


def _fit_string(value: Any, schema: Mapping[str, Any], _root: Mapping[str, Any]) -> str:
    text = value if isinstance(value, str) else ""
    if schema.get("format") == "date" and not text:
        return "1970-01-01"
    return text[: schema.get("maxLength", len(text))].ljust(schema.get("minLength", 0), "-")


def _fit_number(value: Any, schema: Mapping[str, Any], _root: Mapping[str, Any]) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    number: float = value if is_number else schema.get("minimum", 0)
    number = max(number, schema.get("minimum", number))
    number = min(number, schema.get("maximum", number))
    return round(number) if schema.get("type") == "integer" else number
