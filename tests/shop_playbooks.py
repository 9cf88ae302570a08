"""A team's own small playbook, whole and in its parts."""

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
