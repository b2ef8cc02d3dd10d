"""The workloads of chaos in the simulated world: the same scripts, asked of the same real node."""
