"""Pages that are written for a forge, as pages of the site.

The Markdown pages are read where the repository is, too, and link to what is there. On the site a
link to a script of the gallery becomes one to its page, one to a module one to its reference, and
so on; and the first links of the items of a contents page become its table of contents.
"""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
CONTENTS = {"index": ["reference/index"], "guide": [], "project": ["changes/README"]}
COPIES = {"project/contributing": "CONTRIBUTING.md", "project/benchmarks": "benchmarks/README.md"}
PLACES = {
    "README.md": "getting_started.md",
    "docs/examples": "gallery/index.rst",
    **{origin: f"{copy}.md" for copy, origin in COPIES.items()},
}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?://|#|mailto:)([^)\s]+)\)")
ITEM = re.compile(r"^\* .*?\]\(([\w/.]+)\.(?:md|rst)\)", re.M)


def place_on_site(path):
    """Path below docs of the page that stands for a file of the repository, None for none."""
    if path in PLACES:
        return PLACES[path]
    if script := re.fullmatch(r"docs/examples/(plot_\w+)\.py", path):
        return f"gallery/{script[1]}.rst"
    if module := re.fullmatch(r"skmlp/([a-z]\w*)(\.py|/)?", path):
        return f"reference/skmlp.{module[1]}.rst"
    if path.startswith("docs/") and (ROOT / path).is_file():
        return path.removeprefix("docs/")
    return None


def with_links_of_site(text, origin, docname):
    """`text` of a file of the repository with links between pages of the site."""

    def link(match):
        words, target = match.groups()
        path, _, anchor = target.partition("#")
        absolute = (ROOT / origin).parent.joinpath(path).resolve()
        place = place_on_site(absolute.relative_to(ROOT).as_posix())
        if place is None:
            return words
        there = "/".join([".."] * docname.count("/") + [place])
        return f"[{words}]({there}{'#' + anchor if anchor else ''})"

    return LINK.sub(link, text)


def contents(text, more):
    """A hidden table of contents of the pages that items of `text` begin with."""
    pages = [*ITEM.findall(text), *more]
    return "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"


def on_source_read(app, docname, source):
    origin = COPIES.get(docname, f"docs/{docname}.md")
    if not (ROOT / origin).is_file():
        return
    text = with_links_of_site(source[0], origin, docname)
    text = text.replace("\n\n```\n", "\n```\n")  # the empty line is for the doctests
    if docname in CONTENTS:
        text += contents(text, CONTENTS[docname])
    source[0] = text


def on_builder_inited(app):
    for copy, origin in COPIES.items():
        write(DOCS / f"{copy}.md", (ROOT / origin).read_text())


def write(path, text):
    """Write a generated page, unless it is as it should be, which Sphinx would read again."""
    path.parent.mkdir(exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def setup(app):
    app.connect("builder-inited", on_builder_inited)
    app.connect("source-read", on_source_read)
    return {"parallel_read_safe": True}
