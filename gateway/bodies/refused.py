"""Fields of an API that change its answers and that nothing here can honour: refused by name, never ignored."""

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError


def refused_unless(*harmless: Any) -> BeforeValidator:
    """A field that may be there when it asks for nothing: null, or one of these values. It is then None."""

    def is_without_effect(value: Any) -> None:
        if value is not None and value not in harmless:
            raise PydanticCustomError("unsupported", "This parameter is not supported; leave it out.")

    return BeforeValidator(is_without_effect)


Refused = Annotated[Any, refused_unless(False, [], {})]
