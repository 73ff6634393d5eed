"""Explorers: find new frames, by molecular dynamics or by changing known ones."""
