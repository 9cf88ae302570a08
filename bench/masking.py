"""How fast text is masked: 64 KiB of each kind, beside the same length of plain log lines."""

import time

from bot.redaction import redact

SIZE = 64 * 1024
# By kind: what is repeated, and how long the ten expressions before these rules took, in ms.
KINDS = {
    "log lines": (
        '2026-11-24T10:00:00Z level=info msg="order ord_123 paid" took=14ms user=42\n',
        5.6,
    ),
    "JSON log lines": ('{"level":30,"msg":"order paid","order":"ord_123","took":14}\n', 5.6),
    "words": ("the quick brown fox jumps over the lazy dog\n", 5.7),
    "passwords": ("password=hunter2 ", 9.1),
    "variables in YAML": ("- name: DB_PASSWORD\n  value: hunter2\n", 10.3),
    "hexadecimal": ("d0b7e1f2a3c4b5d6e7f8", 3.6),
    "digits": ("4111 1111 1111 1112 ", 15.6),
    "addresses": ("a@b.", 21.6),
    "tokens": ("ghp_16C7e42F292c6912E7710c838347Ae178B4a ", 1.6),
    "URLs": ("postgres://app:hunter2@db/orders ", 6.9),
    "a private key": ("MIIEowIBAAKCAQEAx8vabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHI\n", 5.5),
    "base64": ("cGFzc3dvcmQ9aHVudGVyMmh1bnRlcjI= ", 3.8),
    "quotation marks": ('\\"', 3.5),
}


def masking() -> None:
    """Print the milliseconds for each kind, the best of five."""
    print(f"\nmasking {SIZE // 1024} KiB (ms; before these rules; times)")
    for kind, (unit, before) in KINDS.items():
        text = (unit * (SIZE // len(unit) + 1))[:SIZE]
        best = min(_milliseconds(text) for _ in range(5))
        print(f"  {kind:18} {best:8.1f} {before:8.1f} {best / before:8.1f}")


def _milliseconds(text: str) -> float:
    start = time.thread_time()
    redact(text)
    return (time.thread_time() - start) * 1000


if __name__ == "__main__":
    masking()
