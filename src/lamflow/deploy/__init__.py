"""Deployment: freeze, compress, check, and write what an application needs."""
