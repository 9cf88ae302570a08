"""The kinds of parameters that actions have, each bounded."""

from typing import Annotated

from pydantic import Field

Selector = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/=!,()-]*$")
]
Name = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9][a-z0-9.-]*$")]
HostPort = Annotated[str, Field(max_length=260, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*:[0-9]{1,5}$")]
