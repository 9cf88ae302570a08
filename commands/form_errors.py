"""What is wrong with a form that somebody sent, as a sentence for each field."""

from typing import Annotated

from pydantic import StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from bot.playbooks import validation

NonBlankText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

# By pydantic's type of error; fields in braces are from its context. `validation` has the others.
SENTENCES = {
    "missing": "Fill this in.",
    "string_too_short": "Write something here; spaces alone are not enough.",
    "string_too_long": "Write at most {max_length} characters.",
    "string_pattern_mismatch": "This does not have the right form.",
    "int_parsing_size": "This number is too large.",
    "nothing_ticked": "Tick at least one, or all of them.",
    "no_reason": "Write why they are skipped.",
    "extra_forbidden": "This version of the bot no longer has this field.",
    "no_such_attribute": "This version of the bot no longer has this field.",
}


def field_errors(error: ValidationError) -> dict[str, str]:
    """A sentence for each wrong field, by name; an error of the whole form is about `reason`."""
    return {
        str(detail["loc"][0]) if detail["loc"] else "reason": _sentence(detail)
        for detail in error.errors()
    }


def _sentence(detail: ErrorDetails) -> str:
    if detail["type"] in SENTENCES:
        return SENTENCES[detail["type"]].format_map(detail.get("ctx", {}))
    demand = validation.expectation(detail)
    if demand.startswith("expects "):
        return f"Enter {demand.removeprefix('expects ')}."
    return demand[:1].upper() + demand[1:]
