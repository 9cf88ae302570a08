"""Everything Runbolt talks to on loopback: real servers where it can be, else simulators."""
