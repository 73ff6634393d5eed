"""Write the reference page of each workflow kind from its config model: ``docs/kinds/<kind>.md``.

``python scripts/make_docs.py`` writes them, ``--check`` fails if one is out of date.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lamflow.config import kinds
from lamflow.config.schema import json_schema
from lamflow.config.template import template_text
from lamflow.files import write_text

FOLDER = Path(__file__).parents[1] / "docs/kinds"


def page(kind: str) -> str:
    """Markdown of one kind."""
    schema = json_schema(kind)
    summary = schema.get("description", "").partition("\n")[0]
    start = f"A file to start from (`lamflow init {kind}`):"
    lines = [f"# {kind}", "", summary, "", start, ""]
    lines += ["```yaml", template_text(kind).rstrip(), "```", "", "## Keys", ""]
    lines += [*table(schema, schema)]
    for name, model in schema.get("$defs", {}).items():
        if "properties" in model:
            lines += ["", f"## {name}", "", model.get("description", "").partition("\n")[0], ""]
            lines += [*table(model, schema)]
    return "\n".join(lines).rstrip() + "\n"


def table(model: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    """Rows: key, type, default, meaning."""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    required = set(model.get("required", []))
    for name, field in model["properties"].items():
        default = "required" if name in required else f"`{field.get('default', '{}')}`"
        meaning = " ".join(field.get("description", "").split()).replace("|", "\\|")
        yield f"| `{name}` | {type_of(field)} | {default} | {meaning} |"


def type_of(field: dict[str, Any]) -> str:
    """Say a JSON schema type in words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(type_of(option) for option in field["anyOf"]))
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {type_of(field.get('items', {}))}"
    return {"null": "nothing"}.get(field.get("type", "any"), field.get("type", "any"))


def main() -> int:
    """Write or check all pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, tell what is old")
    check = parser.parse_args().check
    old = []
    for kind in kinds.names():
        path, text = FOLDER / f"{kind}.md", page(kind)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        old.append(path.name)
        if not check:
            write_text(path, text)
    if check and old:
        print(f"out of date: {', '.join(old)}; run: python scripts/make_docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
