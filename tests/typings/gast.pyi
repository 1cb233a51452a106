# gast makes its classes when it is imported: a checker can know none of them.
from typing import Any

def __getattr__(name: str) -> Any: ...
