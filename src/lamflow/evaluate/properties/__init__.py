"""Properties that a model predicts for known systems: each a small function with its source.

Each takes an `ase.Atoms` (never changed) and an ASE calculator. Energies are eV, lengths Å,
pressures and moduli GPa, times fs unless a name or docstring says otherwise.
"""
