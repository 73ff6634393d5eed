"""Turning other workflows' input files into lamflow's."""
