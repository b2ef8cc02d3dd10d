"""A front of local ports between an application and its cluster, and faults on the way."""
