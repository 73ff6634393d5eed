"""Engines: the only package that knows dflow."""
