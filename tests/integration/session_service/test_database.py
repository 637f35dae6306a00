"""The way to Postgres, and what its failures tell."""

from traceback import format_exception
from uuid import uuid4

import pytest
from sqlalchemy import text

from session_service.database import Database
from shared.errors import BadRequestError


async def test_an_error_that_goes_to_the_log_holds_nothing_of_what_was_to_be_stored(database: Database) -> None:
    content = uuid4().hex

    with pytest.raises(BadRequestError) as refused:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT 1 / (:number - 1), :content"), {"number": 1, "content": content})

    assert content not in "".join(format_exception(refused.value))
