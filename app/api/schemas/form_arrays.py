"""Arrays in forms: JSON text, or a field that occurs several times."""

import json

from pydantic import BeforeValidator, ValidationInfo


def _array(value: object, info: ValidationInfo) -> object:
    """Accept an array, also as JSON text from a form."""
    if info.mode == "json" or not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return value
    try:
        parsed = [json.loads(each) for each in value]
    except (ValueError, RecursionError) as error:
        raise ValueError("it must be a JSON array") from error
    return parsed[0] if len(parsed) == 1 and isinstance(parsed[0], list) else parsed


ARRAY_FROM_FORM = BeforeValidator(_array)


def _texts(value: object) -> object:
    """Accept an array of texts, also as JSON text from a form."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], str):
        return value
    if not value[0].lstrip().startswith("["):
        return value
    try:
        return json.loads(value[0])
    except (ValueError, RecursionError) as error:
        raise ValueError("it must be a JSON array") from error


TEXTS_FROM_FORM = BeforeValidator(_texts)
