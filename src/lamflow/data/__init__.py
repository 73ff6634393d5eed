"""Datasets: reading, writing, checking, splitting."""
