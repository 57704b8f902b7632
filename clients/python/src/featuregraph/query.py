"""What a GraphQL document does, as far as sending it again is concerned."""

from __future__ import annotations

import re

_token = re.compile(r'"""(?:\\"""|[\s\S])*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*|[{}]|[A-Za-z_]\w*')


def is_read_only(document: str) -> bool:
    """Whether no word ``mutation`` or ``subscription`` stands outside of braces: an operation of that kind would."""
    depth = 0
    for match in _token.finditer(document):
        token = match.group()
        if token in "{}":
            depth += 1 if token == "{" else -1
        elif depth == 0 and token in ("mutation", "subscription"):
            return False
    return True
