"""What the client decides, sans-I/O: which endpoint next, whether to retry, the state of a lease.

Time and randomness are arguments, so that the simulation runs this very code.
Imports: the standard library only.
"""
