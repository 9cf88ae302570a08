"""The payments team's systems: payment-service's health, its database, and who pays."""

from sandbox.payments.database import PaymentDatabase
from sandbox.payments.health import Health, PaymentService
from sandbox.payments.systems import PaymentSystems, start_payments
from sandbox.payments.traffic import PaymentTraffic

__all__ = [
    "Health",
    "PaymentDatabase",
    "PaymentService",
    "PaymentSystems",
    "PaymentTraffic",
    "start_payments",
]
