"""A simulator that runs the real node with twins of its doors; one seed is one run."""
