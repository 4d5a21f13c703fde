"""Start Jupyter's libraries quickly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

SLOW = "rfc3987_syntax"


@contextmanager
def quick_jupyter() -> Iterator[None]:
    """Import papermill and nbconvert inside this block: it takes 0.6 s instead of 2.9 s of processor time.

    `import nbformat` loads jsonschema, whose optional check of international web addresses compiles grammars
    at import. No schema of Jupyter's uses that check, and jsonschema goes on without it when the module
    cannot be imported, so it is hidden while the libraries load and then given back to whoever wants it.
    """
    modules = cast(dict[str, Any], sys.modules)
    hide = SLOW not in modules
    if hide:
        modules[SLOW] = None
    try:
        yield
    finally:
        if hide:
            modules.pop(SLOW, None)
