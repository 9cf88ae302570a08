"""The payments database, which the payments team owns."""

from pathlib import Path

from sandbox.databases import DatabaseRoles, ServiceDatabase
from sandbox.postgres import Server

ROLES = DatabaseRoles(
    owner="payment_service",
    reader="payments_ro",
    operator="payments_ops",
    tables="payments, provider_calls",
)
CONTENT = Path(__file__).parent / "payments.sql"


class PaymentDatabase(ServiceDatabase):
    """Payments and what the card provider answered to them."""

    def __init__(self, server: Server, database: str = "payments") -> None:
        super().__init__(server, database, ROLES)

    async def build(self) -> None:
        """Create it with its content, or use what was kept; nobody else may connect."""
        await self.create("payments", CONTENT)
        await self.keep_strangers_out()
