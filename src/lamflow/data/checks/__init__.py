"""Checks that tell wrong frames from right ones, and what they have in common."""
