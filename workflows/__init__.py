"""Workflow kinds: each file composes operators into a graph."""
