"""A simulator that runs the real node: its own clock, chance, network and disk, one seed = one run."""
