"""What people read whom the gate to production refuses."""


def not_an_approver(done: str, *others: str, service: str = "order-service") -> str:
    """The sentence for somebody who is no approver; the `others` are, beside the requester."""
    names = " or ".join(f"@{name}" for name in others)
    return (
        f"You are not an approver of {service}. Nothing was {done}; ask one of its approvers: "
        f"{names}."
    )
