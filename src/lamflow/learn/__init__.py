"""Concurrent learning: what the steps of the loop do, on files and arrays."""
