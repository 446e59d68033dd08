"""Model families, as files of runs and adapters name them: by the module that is imported for one."""

from __future__ import annotations

from spaces.errors import InputError
from spaces.space import FAMILIES


def known_family(module: str, named_by: str) -> str:
    """The module, where it holds a model family known here.

    A run or an adapter may come from anyone, and a module of that name may lie in the working directory: files of
    theirs have no other code imported. `named_by` says which file, for the error. Raises InputError.
    """
    known = FAMILIES.values()
    if module not in known:
        raise InputError(
            f"{named_by} names {module!r} as its model family; expected one of {', '.join(known)}. Nothing was loaded "
            "from it: a family of that name would be code of somebody else's. Take one that Sweetspot wrote, or update "
            "Sweetspot where it is newer than this one"
        )
    return module
