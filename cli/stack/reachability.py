"""Whether the servers that somebody named by URL answer."""

from urllib.parse import urlsplit

from cli.stack.errors import StackError
from cli.stack.valkey import answers_ping


def postgres_problem(url: str) -> str | None:
    """None when a Postgres answers there and lets us in, else what is wrong, in one line."""
    import psycopg  # slow to load, and most commands do not need it

    try:
        psycopg.connect(plain_url(url), connect_timeout=3).close()
    except psycopg.Error as error:
        return (str(error).strip().splitlines() or ["no answer"])[-1].strip()
    return None


def require_redis(url: str) -> None:
    """Raises StackError when no Redis answers."""
    if not answers_ping(url):
        raise StackError(
            f"No Redis answers at {without_password(url)}: start it, or unset REDIS_URL to use the embedded one."
        )


def require_postgres(url: str) -> None:
    """Raises StackError when no Postgres lets us in."""
    if problem := postgres_problem(url):
        raise StackError(
            f"No Postgres can be used at {without_password(url)} ({problem}): start it, or unset DATABASE_URL to use "
            "the embedded one."
        )


def plain_url(url: str) -> str:
    """The URL without SQLAlchemy's driver name, which libpq does not know."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username or ''}:***@{parts.netloc.rpartition('@')[2]}").geturl()
