"""Words that people read: in full, in the singular, and on a day."""

import re
from importlib.resources import files

import pytest

from bot.systems import Systems
from bot.systems.kubernetes import NotFound
from tests.cluster_fixtures import systems

__all__ = ["systems"]

TIME = re.compile(r'local_time\("([^"]*)"\)')


async def test_missing_deployment_is_named_in_singular(systems: Systems) -> None:
    with pytest.raises(NotFound, match="There is no deployment nothing-there in "):
        await systems.cluster.deployment("nothing-there")


def test_every_time_has_its_day() -> None:
    forms = {
        form
        for file in (files("templates") / "messages").iterdir()
        for form in TIME.findall(file.read_text(encoding="utf-8"))
    }
    assert forms
    assert [form for form in forms if "{time" in form and "{date" not in form] == []
