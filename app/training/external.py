"""Classes outside ArcID, named as `package.module:Class`: any other loss, backbone or optimizer."""

import re
from importlib import import_module
from typing import Any

from app.errors import TrainingInvalid

_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_external(name: str) -> bool:
    """Return whether a name is of the form package.module:Class."""
    return _NAME.fullmatch(name) is not None


def import_class(name: str, base: type) -> Any:
    """Return the class `package.module:Class`; raises TrainingInvalid if it does not exist or does not extend `base`.

    The module is found as Python finds any module: installed, or in a folder of PYTHONPATH.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except ImportError as error:
        raise TrainingInvalid(f"{name}: {error}; install it, or add its folder to PYTHONPATH") from error
    except AttributeError as error:
        raise TrainingInvalid(f"{name}: the module {module} has no {attribute}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise TrainingInvalid(f"{name} is not a subclass of {base.__module__}.{base.__qualname__}")
    return found
