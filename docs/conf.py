"""Sphinx: `python -m sphinx -W -b html docs docs/_build/html`, from the root of the clone."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(ROOT)]
# The kernels that run the notebooks import figures and simulations from the clone as well.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

import jaxtyping  # noqa: E402

import normtheory  # noqa: E402
from normtheory import _types  # noqa: E402

project = "normtheory"
author = "normtheory contributors"
copyright = "2026, normtheory contributors"
release = version = normtheory.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinxcontrib.bibtex",
    "claim_pages",
    "lesson_notebooks",
    "loss_tables",
    "offline_mathjax",
    "reference_lists",
    "play_page",
]
exclude_patterns = ["_build", "_figures"]

html_theme = "furo"
html_title = f"normtheory {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_copy_source = False

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

autodoc_member_order = "bysource"
# The modules for PyTorch are shown without it, too.
autodoc_mock_imports = [] if importlib.util.find_spec("torch") else ["torch"]
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# Arrays by what they hold, not by the `Any` that they are to a type checker.
autodoc_type_aliases = {
    name: name
    for name in vars(_types)
    if name[0].isupper() and name != "Any" and name not in vars(jaxtyping)
}
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Reference", "References")]

# A notebook is run anew when it changed; a failing cell fails the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
# What a cell shows as Markdown, such as a claim, may hold formulas.
nb_render_markdown_format = "myst"
# A slider needs a running Python, so a page leaves it out and loads no script from afar for it: a
# notebook draws what the slider shows once more by itself.
nb_ipywidgets_js = {}
