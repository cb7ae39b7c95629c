"""Links names of the package, written as `code` in a docstring or on a page, to the reference."""

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.ext.intersphinx import InventoryAdapter
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

PACKAGES = ("luma_async", "luma_async.batch", "luma_async.emulator")
LOG = logging.getLogger(__name__)


class LinkNames(SphinxPostTransform):
    """Turns a literal into a link where it is the name of something."""

    default_priority = 5  # before links are resolved

    def run(self, **_: object) -> None:
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext().removesuffix("()")
            if all(part.isidentifier() for part in name.split(".")) and not _is_busy(literal):
                self._link(literal, name)

    def _link(self, literal: nodes.literal, name: str) -> None:
        scope = _scope(literal)
        objects = self.env.domains.python_domain.objects
        found = next((full for full in _meanings(name, scope) if full in objects), None)
        if found is None:
            self._link_elsewhere(literal, name)
        elif found != scope:
            place = objects[found]
            here, inside = self.env.docname, literal.deepcopy()
            literal.replace_self(
                make_refnode(self.app.builder, here, place.docname, place.node_id, inside, found)
            )

    def _link_elsewhere(self, literal: nodes.literal, name: str) -> None:
        """Leave a dotted name to intersphinx; one of ours that is not there is a mistake."""
        owner, dot, _ = name.partition(".")
        if not dot:
            return
        if any(name in names for names in InventoryAdapter(self.env).main_inventory.values()):
            literal.replace_self(
                addnodes.pending_xref(
                    "", literal.deepcopy(), refdomain="py", reftype="obj", reftarget=name
                )
            )
        elif any(
            f"{package}.{owner}" in self.env.domains.python_domain.objects for package in PACKAGES
        ):
            LOG.warning("%s is not in the reference", name, location=literal)


def _is_busy(literal: nodes.literal) -> bool:
    """Tell whether a literal is a link already, or stands where none should be."""
    taken = (nodes.reference, addnodes.pending_xref, nodes.title, addnodes.desc_signature)
    node = literal.parent
    while node is not None and not isinstance(node, taken):
        node = node.parent
    return node is not None


def _scope(literal: nodes.literal) -> str | None:
    """Return the full name of what the docstring around a literal describes."""
    node = literal.parent
    while node is not None and not (isinstance(node, addnodes.desc) and node["domain"] == "py"):
        node = node.parent
    ids = node[0]["ids"] if node is not None else []
    return ids[0] if ids else None


def _meanings(name: str, scope: str | None) -> list[str]:
    """Return the full names that a name can stand for, the nearest first."""
    # In a docstring a plain `get` need not be a method of the client, but on a page it is.
    near = ["luma_async.LumaClient"] if scope is None else [scope, scope.rpartition(".")[0]]
    return [f"{owner}.{name}" for owner in (*near, *PACKAGES)] + [name]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
