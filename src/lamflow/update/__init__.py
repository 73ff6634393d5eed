"""The scheduled update: from a dataset in the inbox to the next version of a model."""
