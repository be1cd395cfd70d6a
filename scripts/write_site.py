"""Write the pages of the documentation's site into build/site: `make docs` has Zensical build it.

The pages are those of docs/, cut where a reader looks for one thing: the guide by task, the
reference by command.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from notifycli.cli.main import SECTIONS

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "build" / "site"
BLOB = "https://github.com/notifycli/notifycli/blob/main/"
_TITLE = re.compile(r"# ([^:\n]+)")
_HEADING = re.compile(r"^## (.+)\n", re.MULTILINE)
_COMMAND = re.compile(r"^### notifycli(?: (\S+))?.*\n", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<to>[^()\s#]+)(?P<at>#[^()\s]*)?\)")
_WHOLE = ("guide.md", "reference.md")
"""The pages of docs/ that are cut into several."""


def pages() -> dict[str, str]:
    """Give the pages, by their place in the site."""
    docs = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    found = {name: text for name, text in docs.items() if name not in _WHOLE}
    found["index.md"] = (ROOT / "README.md").read_text(encoding="utf-8")
    found["guide.md"], _, sections = docs["guide.md"].partition("\n## ")
    titles = {_TITLE.match(text)[1]: place for place, text in docs.items()}  # type: ignore[index] # each has one
    for title, text in _parts(_HEADING, f"## {sections}"):
        # What has a page of its own needs no second one.
        place = titles.get(title) or f"guide-{title.lower().replace(',', '').replace(' ', '-')}.md"
        found.setdefault(place, f"# {title}\n{text}")
        found["guide.md"] += f"\n- [{title}]({place})"
    found["reference.md"], _, commands = docs["reference.md"].partition("## Commands\n")
    by_noun: dict[str, str] = {}
    for match, text in _parts(_COMMAND, commands, whole=True):
        named = _COMMAND.match(match)
        noun = (named[1] if named else None) or "notifycli"
        by_noun[noun] = by_noun.get(noun, f"# {noun}\n\n") + match.replace("###", "##", 1) + text
    found |= {f"commands/{noun}.md": text for noun, text in by_noun.items()}
    found["schemas.md"] = _schemas()
    return {place: _rewritten(place, text, found) for place, text in found.items()}


def pictures() -> dict[str, Path]:
    """Give the pictures that pages show, by their place in the site."""
    return {path.name: path for path in (ROOT / "docs").glob("*.*g")}


def _parts(
    heading: re.Pattern[str], text: str, *, whole: bool = False
) -> Iterator[tuple[str, str]]:
    """Cut a text at its headings: give each heading, its line if `whole`, and what is below it."""
    found = list(heading.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    for match, end in zip(found, ends, strict=True):
        yield match[0] if whole else match[1], text[match.end() : end]


def _schemas() -> str:
    lines = ["# JSON Schemas", "", "By which editors complete and check documents.", ""]
    for path in sorted((ROOT / "docs" / "schemas").glob("*.json")):
        title = json.loads(path.read_text(encoding="utf-8"))["title"]
        lines.append(f"- [{path.name}](schemas/{path.name}): {title}")
    return "\n".join(lines) + "\n"


def _rewritten(place: str, text: str, found: dict[str, str]) -> str:
    """Have links lead to the site's pages, and to the repository for what isn't among them."""

    def rewrite(match: re.Match[str]) -> str:
        to, at = match["to"], match["at"] or ""
        if to.startswith(BLOB):
            to = to.removeprefix(BLOB).removeprefix("docs/")
        elif "://" in to:
            return match[0]
        own = to.removeprefix("../")
        known = own in found or own in pictures() or own.startswith("schemas")
        if own == "schemas":
            own = "schemas.md"
        up = "../" * place.count("/")
        return f"]({up}{own}{at})" if known else f"]({BLOB}{own}{at})"

    return _LINK.sub(rewrite, text)


def settings() -> dict[str, Any]:
    """Give what Zensical is told: the name, and the order of the pages."""
    tasks = [
        {"Guide": "guide.md"},
        *(place for place in pages() if place.startswith("guide-")),
        *("chatwoot.md", "events.md", "tokens.md", "servers.md", "replay.md", "cluster.md"),
    ]
    named = {place for place in tasks if isinstance(place, str)} | {"guide.md", "index.md"}
    commands: list[Any] = ["commands/notifycli.md"]
    commands += [
        {section: [f"commands/{noun}.md" for noun in nouns]} for section, nouns in SECTIONS.items()
    ]
    more = sorted(place for place in pages() if place not in named and "/" not in place)
    return {
        "site_name": "notifycli",
        # Beside the file that says this.
        "docs_dir": TARGET.name,
        "site_dir": "html",
        "repo_url": BLOB.removesuffix("/blob/main/"),
        "theme": {"name": "material", "features": ["navigation.sections", "search.highlight"]},
        "nav": [{"Home": "index.md"}, {"Tasks": tasks}, {"Commands": commands}, {"More": more}],
    }


if __name__ == "__main__":
    shutil.rmtree(TARGET, ignore_errors=True)
    for place, text in pages().items():
        (TARGET / place).parent.mkdir(parents=True, exist_ok=True)
        (TARGET / place).write_text(text, encoding="utf-8")
    for place, path in pictures().items():
        shutil.copy(path, TARGET / place)
    shutil.copytree(ROOT / "docs" / "schemas", TARGET / "schemas")
    # YAML reads JSON.
    (TARGET.parent / "mkdocs.yml").write_text(json.dumps(settings(), indent=1), encoding="utf-8")
