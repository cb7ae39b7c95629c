"""How the documentation is built."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from inventories import compiled

from luma_async import __version__

project = "luma-async"
author = "The luma-async maintainers"
copyright = "2026, the luma-async maintainers"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "cyclopts.ext.sphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "code_links",
    "signatures",
    "summaries",
]
exclude_patterns = ["_build", "_ext", "inventories"]
html_theme = "furo"
html_title = f"luma-async {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
pygments_dark_style = "github-dark"
smartquotes_action = "qe"  # two hyphens stay, as in --help

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Notebooks are kept without outputs, and run whenever the site is built.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
# Every step of a progress bar would be a line of its own, so there are few.
os.environ["TQDM_MININTERVAL"] = "60"

default_role = "code"
nitpicky = True
nitpick_ignore = [  # types that are met in signatures, and are of use to nobody by name
    ("py:class", "luma_async.batch.ledger.interface.T"),
]
maximum_signature_line_length = 72
python_use_unqualified_type_names = True
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = False

# Continuous integration has no network, so what we link to is listed here.
_INVENTORIES = Path(__file__).parent / "_build" / "inventories"
intersphinx_mapping = {
    name: (address, compiled(Path(__file__).parent / "inventories" / f"{name}.txt", _INVENTORIES))
    for name, address in {
        "python": "https://docs.python.org/3",
        "aiohttp": "https://docs.aiohttp.org/en/stable",
    }.items()
}
