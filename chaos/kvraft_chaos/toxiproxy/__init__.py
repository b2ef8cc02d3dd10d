"""A stand-in for Toxiproxy: the same HTTP API and the same seven toxics, with nothing but Python.

Behaviour follows Toxiproxy 2.12; one conformance suite holds both to it. Known differences: no
`/metrics`, and toxicity is drawn once a connection and toxic, not again when a neighbour changes.
"""
