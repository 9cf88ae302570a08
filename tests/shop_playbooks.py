"""Small playbooks of other teams, whole and in their parts."""

HEAD = """\
service: shop
title: Shop
severities:
  sev1: {meaning: Down, response: 15 min}
  sev2: {meaning: Broken, response: 30 min}
  sev3: {meaning: Slow, response: 2 hours}
  sev4: {meaning: Ugly, response: 1 d}
scenarios:
"""

# Its query is read from a file beside the playbook.
CARTS = f"""\
{HEAD}  - id: carts
    title: Carts
    severity: sev1
    symptoms: [Carts are empty]
    steps:
      - id: carts
        title: Carts
        phase: immediate
        action: query
        params:
          file: carts.sql
"""

SCALE_STEP = """\
      - id: scale
        title: Scale
        phase: recovery
        action: scale-deployment
        params: {deployment: shop}
        ask: [replicas]
"""

TICKETS_HEAD = """\
service: tickets
title: Ticket Service
severities:
  sev1: {meaning: Nobody gets in, response: 3 min}
  sev2: {meaning: Some do not get in, response: 7 min}
  sev3: {meaning: Queues at the door, response: 50 min}
  sev4: {meaning: Ugly tickets, response: 5 h}
scenarios:
"""
