"""Puts this directory on the import path, for the stand-ins that several suites share."""
