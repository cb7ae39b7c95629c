"""Says in one line what each page is about: to search engines, and in ``llms.txt``.

The line is the first sentence of the page. ``llms-full.txt`` is the whole site as plain text.
"""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.writers.text import TextTranslator


class PlainText(TextTranslator):
    """Renders pages as text; what it does not know, such as a card's title, is a paragraph."""

    def unknown_visit(self, node: nodes.Node) -> None:
        self.new_state(0)

    def unknown_departure(self, node: nodes.Node) -> None:
        self.end_state()


def summary(document: nodes.document) -> str:
    """Return the first sentence of a page."""
    paragraphs = (
        node for node in document.findall(nodes.paragraph) if isinstance(node.parent, nodes.section)
    )
    first = next(paragraphs, None)
    if first is None:
        raise ExtensionError(f"{document['source']}: a page begins with a sentence about it")
    text = " ".join(first.astext().split())
    return re.split(r"(?<=[.!?]) ", text, maxsplit=1)[0]


def pages(env: BuildEnvironment, name: str) -> Iterator[str]:
    """Yield a page and those below it, in the order of reading."""
    yield name
    for below in env.toctree_includes.get(name, []):
        yield from pages(env, below)


def describe(app: Sphinx, page: str, _: str, context: dict[str, object], document: object) -> None:
    if isinstance(document, nodes.document):
        content = escape(summary(document))
        context["metatags"] = f'{context["metatags"]}<meta name="description" content="{content}">'


def write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    root = app.config.root_doc
    documents = {
        page: app.env.get_and_resolve_doctree(page, app.builder) for page in pages(app.env, root)
    }
    lines = [f"# {app.config.project}", "", f"> {summary(documents[root])}", "", "## Pages", ""]
    whole = []
    for page, document in documents.items():
        title = app.env.titles[page].astext()
        lines.append(f"- [{title}]({page}.html): {summary(document)}")
        text = PlainText(document, app.builder)
        document.walkabout(text)
        whole.append(text.body)
    output = Path(app.outdir)
    output.joinpath("llms.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    output.joinpath("llms-full.txt").write_text("\n\n".join(whole), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", describe)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
