"""Trainers, their presets and learning curves."""
