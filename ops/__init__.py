"""Operators: ports and one call into science each."""
