"""Distillation: what the steps of the loop do, on files and arrays."""
