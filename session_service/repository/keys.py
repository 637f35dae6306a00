"""Statements about tenants and API keys."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from session_service.database import Transaction
from session_service.identifiers import new_tenant_id
from session_service.tables import ApiKeyTable, TenantTable
from shared.bodies.keys import Role


async def find_valid_key(tx: Transaction, key_id: str) -> ApiKeyTable | None:
    """The key of that id, unless it is revoked or expired."""
    statement = select(ApiKeyTable).where(
        ApiKeyTable.id == key_id,
        ApiKeyTable.revoked_at.is_(None),
        ApiKeyTable.expires_at.is_(None) | (ApiKeyTable.expires_at > func.now()),
    )
    return await tx.scalar(statement)


async def ensure_tenant(tx: Transaction, name: str) -> str:
    """The id of the tenant of that name, which is made if there is none."""
    statement = insert(TenantTable).values(id=new_tenant_id(), name=name).on_conflict_do_nothing()
    await tx.execute(statement)
    return (await tx.execute(select(TenantTable.id).where(TenantTable.name == name))).scalar_one()


async def ensure_key(
    tx: Transaction,
    *,
    key_id: str,
    tenant_id: str,
    role: Role,
    digest: bytes,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    concurrent_jobs: int | None,
) -> bool:
    """Store the key, or set role and limits of the same one; False if the id belongs to another key."""
    rights = {
        "role": role,
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrent_jobs": concurrent_jobs,
    }
    statement = (
        insert(ApiKeyTable)
        .values(id=key_id, tenant_id=tenant_id, digest=digest, **rights)
        .on_conflict_do_update(
            index_elements=[ApiKeyTable.id],
            set_=rights,
            where=(ApiKeyTable.tenant_id == tenant_id) & (ApiKeyTable.digest == digest),
        )
        .returning(ApiKeyTable.id)
    )
    return await tx.scalar(statement) is not None
