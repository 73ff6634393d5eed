"""Errors and properties of models."""
