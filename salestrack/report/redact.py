"""Secrets of the environment never reach a page, a notebook, a record or an error message."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

NAMES = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|PRIVATE|CREDENTIAL", re.IGNORECASE)
SHORTEST = 8


def secrets(environment: Mapping[str, str] | None = None) -> list[str]:
    """The secret values of the environment and the forms in which they travel, longest first.

    >>> secrets({"CRM_TOKEN": "s3cr3t/token", "HOME": "/home/ada"})[:2]
    ['czNjcjN0L3Rva2Vu', 's3cr3t%2Ftoken']
    """
    found = os.environ if environment is None else environment
    values = {value for name, value in found.items() if NAMES.search(name) and len(value) >= SHORTEST}
    forms = values | {quote(value, safe="") for value in values} | {quote_plus(value) for value in values}
    forms |= {base64.b64encode(value.encode("utf-8", "surrogateescape")).decode() for value in values}
    return sorted(forms, key=lambda form: (-len(form), form))


def redacted(text: str, hidden: list[str] | None = None) -> str:
    """`text` with every secret value replaced by three stars.

    >>> redacted("login with s3cr3t/token failed", ["s3cr3t/token"])
    'login with *** failed'
    """
    for secret in secrets() if hidden is None else hidden:
        text = text.replace(secret, "***")
    return text
