"""What is wrong with what somebody filled in, in sentences."""

from typing import Annotated

from pydantic import StringConstraints, ValidationError

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

SENTENCES = {
    "missing": "Fill this in.",
    "string_too_short": "Write something here; spaces alone say nothing.",
    "string_too_long": "Write at most {max_length} characters.",
    "string_pattern_mismatch": "This is not written as it has to be.",
    "int_type": "Write a whole number.",
    "int_parsing": "Write a whole number.",
    "int_parsing_size": "That number is too large.",
    "int_from_float": "Write a whole number.",
    "float_parsing": "Write a number.",
    "bool_parsing": "Write yes or no.",
    "greater_than": "Write a number above {gt}.",
    "greater_than_equal": "Write {ge} or more.",
    "less_than": "Write a number below {lt}.",
    "less_than_equal": "Write {le} or less.",
    "enum": "Choose one of {expected}.",
    "literal_error": "Choose one of {expected}.",
    "extra_forbidden": "This version of the bot does not ask for this any more.",
    "no_such_attribute": "This version of the bot does not ask for this any more.",
}


def told(error: ValidationError) -> dict[str, str]:
    """A sentence for each field that is not right."""
    found = {}
    for mistake in error.errors():
        name = str(mistake["loc"][0]) if mistake["loc"] else "reason"
        known = SENTENCES.get(mistake["type"])
        own = mistake["msg"].removeprefix("Value error, ")
        own = own[:1].upper() + own[1:]
        found[name] = known.format_map(mistake.get("ctx", {})) if known else own
    return found
