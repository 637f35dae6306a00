"""The session service: history, truncation, turns, tenants and keys, usage; the only part that speaks to Postgres."""
