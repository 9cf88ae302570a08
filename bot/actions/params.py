"""The types that actions share for their parameters, each with its limits."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from bot import durations

Selector = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/=!,()-]*$")
]
Name = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9][a-z0-9.-]*$")]
MEMORY = re.compile(r"(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?")


def _check_memory(text: str) -> str:
    # Kubernetes accepts 512m too, but that is half a byte. Raises ValueError.
    if MEMORY.fullmatch(text) is None:
        raise ValueError("expects memory as Kubernetes writes it, such as 1Gi or 768Mi")
    return text


Memory = Annotated[str, Field(max_length=20), AfterValidator(_check_memory)]
HostPort = Annotated[str, Field(max_length=260, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*:[0-9]{1,5}$")]
# Stored in seconds, so that nothing is lost.
Duration = Annotated[
    timedelta,
    BeforeValidator(durations.parse),
    PlainSerializer(lambda duration: f"{int(duration.total_seconds())} s", when_used="json"),
]
