"""URLs as they are shown and passed on."""

from cli.stack.reachability import plain_url, without_password


def test_a_password_is_not_shown() -> None:
    assert without_password("redis://:secret@127.0.0.1:6379/0") == "redis://:***@127.0.0.1:6379/0"
    assert without_password("postgresql://u:p%40@db:5432/x") == "postgresql://u:***@db:5432/x"
    assert without_password("redis://127.0.0.1:6379/0") == "redis://127.0.0.1:6379/0"


def test_sqlalchemys_driver_name_is_left_out_for_libpq() -> None:
    assert plain_url("postgresql+psycopg://u:a+b@db/x") == "postgresql://u:a+b@db/x"
