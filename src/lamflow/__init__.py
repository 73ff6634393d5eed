"""lamflow: from DFT datasets to Large Atomic Models and on to their use."""

__version__ = "0.1.0"
