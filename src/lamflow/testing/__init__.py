"""Conformance suites that every extension passes."""
