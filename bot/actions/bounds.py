"""How far a number may go: the one source for what a form allows and hints, and a refusal says."""

from collections.abc import Callable


def furthest(near: int, far: int, fits: Callable[[int], bool]) -> int:
    """The number furthest from `near` on the way to `far` that fits, if all up to it do.

    It is `far` where not even `near` fits: then the limit is none of the number itself.
    """
    if fits(far) or not fits(near):
        return far
    while abs(far - near) > 1:
        middle = (near + far) // 2
        near, far = (middle, far) if fits(middle) else (near, middle)
    return near
