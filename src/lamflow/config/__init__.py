"""One pydantic model for each workflow kind, and the YAML loader."""
