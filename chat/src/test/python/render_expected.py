"""Renders the test conversations and snippets with jinja2, set up as Hugging Face transformers does.

Writes expected-conversations.tsv (template, conversation, SHA-256 of the UTF-8 output or "error: message"; the
templates are third-party text, so only hashes are kept) and the "expected" field of snippets.json (templates of
our own).

Usage: python3 render_expected.py TEMPLATE_FOLDER RESOURCE_FOLDER [FULL_TEXT_FOLDER]
"""

import datetime
import hashlib
import json
import pathlib
import sys

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2025, 7, 4, 9, 5, 6)


def environment():
    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda pattern: NOW.strftime(pattern)
    return env


def render(source, variables):
    try:
        return environment().from_string(source).render(**variables), None
    except Exception as e:
        return None, f"{type(e).__name__}: {e}"


def main():
    templates, resources = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    full = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
    tools = json.loads((resources / "tools.json").read_text())
    rows = []
    for path in sorted(templates.glob("*.jinja")):
        for case in json.loads((resources / "conversations.json").read_text()):
            variables = {
                "messages": case["messages"],
                "tools": tools.get(case.get("tools")),
                "documents": None,
                "add_generation_prompt": case["add_generation_prompt"],
                "bos_token": "<bos>",
                "eos_token": "<eos>",
                **case.get("variables", {}),
            }
            text, error = render(path.read_text(), variables)
            if error:
                rows.append(f"{path.stem}\t{case['name']}\terror: " + error.replace("\n", " "))
            else:
                rows.append(f"{path.stem}\t{case['name']}\t{hashlib.sha256(text.encode()).hexdigest()}")
            if full:
                full.mkdir(exist_ok=True)
                (full / f"{path.stem}.{case['name']}.txt").write_bytes((text or "ERROR " + str(error)).encode())
    (resources / "expected-conversations.tsv").write_text("\n".join(rows) + "\n")

    snippets = json.loads((resources / "snippets.json").read_text())
    for snippet in snippets:
        text, error = render(snippet["template"], snippet.get("variables", {}))
        snippet.pop("expected", None)
        snippet.pop("error", None)
        snippet.update({"error": error} if error else {"expected": text})
    lines = ",\n".join("  " + json.dumps(s, ensure_ascii=True) for s in snippets)
    (resources / "snippets.json").write_text("[\n" + lines + "\n]\n")


main()
