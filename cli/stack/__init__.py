"""The embedded stack: Redis, Postgres and the four services as supervised processes on one machine."""
