"""Labellers: give frames energies, forces and virials, with DFT or something cheaper."""
