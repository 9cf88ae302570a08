"""Quantities as Kubernetes writes them: 250m, 1, 512Mi."""

import re
from decimal import Decimal

QUANTITY = re.compile(r"([+-]?[0-9.]+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|e[+-]?[0-9]+)?")
BINARY = {
    name: Decimal(1024) ** at for at, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)
}
DECIMAL = {name: Decimal(1000) ** at for at, name in enumerate("kMGTPE", 1)}
SMALL = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)}
FACTORS = BINARY | DECIMAL | SMALL


def quantity(name: str, value: Decimal) -> str:
    """Write an amount as Kubernetes does: 1536Mi, 750m, 4."""
    if name.endswith("memory"):
        fits = [unit for unit, size in BINARY.items() if value and value % size == 0]
        return f"{value / BINARY[fits[-1]]:f}{fits[-1]}" if fits else f"{value:f}"
    return f"{value:f}" if value == value.to_integral_value() else f"{value * 1000:f}m"


def amount(text: str) -> Decimal:
    """Parse a quantity; raises ValueError in the API server's words."""
    match = QUANTITY.fullmatch(text)
    if not match or match[1].count(".") > 1 or not re.search("[0-9]", match[1]):
        raise ValueError(
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    unit = match[2] or ""
    factor = FACTORS[unit] if unit in FACTORS else Decimal(10) ** int(unit[1:])
    return Decimal(match[1]) * factor
