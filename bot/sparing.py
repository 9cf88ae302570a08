"""Libraries, as little of them as is used.

The `__init__` of some packages imports all that they can do: clients that we do not use, commands
of servers that we do not have. That is memory and time of every start, for nothing.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def load(*packages: str) -> None:
    """Let these packages load a module when it is named; their own `__init__` only runs at need.

    At need means that somebody names what is no module of theirs. Call it before the first import;
    a package that is loaded already stays as it is.
    """
    for package in packages:
        if package not in sys.modules:
            spec = find_spec(package)
            assert spec is not None
            sys.modules[package] = _bare(spec)


def _bare(spec: ModuleSpec) -> ModuleType:
    module = module_from_spec(spec)

    def name(wanted: str) -> object:
        if wanted.startswith("__"):
            raise AttributeError(f"module {spec.name!r} has no attribute {wanted!r}")
        if find_spec(f"{spec.name}.{wanted}") is not None:
            return import_module(f"{spec.name}.{wanted}")
        del module.__dict__["__getattr__"]
        assert spec.loader is not None
        spec.loader.exec_module(module)
        return getattr(module, wanted)

    module.__dict__["__getattr__"] = name
    return module
