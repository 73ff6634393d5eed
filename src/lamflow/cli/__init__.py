"""The lamflow command."""
