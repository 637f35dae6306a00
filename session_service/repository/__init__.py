"""The statements, one file a topic; every one that serves a tenant has the tenant in its WHERE."""
