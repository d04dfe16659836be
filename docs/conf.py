"""Settings of the site: python -m sphinx -W -b html docs docs/_build/html."""

import sys
from pathlib import Path

import skmlp

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "skmlp"
author = "The skmlp developers"
copyright = author
version = release = skmlp.__version__

extensions = [
    "sphinx.ext.autodoc",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "forge_pages",
    "reference_pages",
]
exclude_patterns = ["_build", "examples"]
default_role = "py:obj"
highlight_language = "none"  # of indented blocks: commands, formulas, drawings

# The pages are read on a forge too, where headings have the same anchors.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 90
python_trailing_comma_in_multi_line_signatures = False
smartquotes = False  # quoted names are values of parameters, and f'(z) is a derivative
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_\d+_",
    "ignore_pattern": r"render\.py",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "doc_module": ("skmlp",),
    "reference_url": {"skmlp": None},
    "backreferences_dir": "reference/backreferences",
    "image_srcset": ["2x"],
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,
    "copyfile_regex": r"(?!)",
}

html_theme = "pydata_sphinx_theme"
html_title = f"skmlp {release}"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "logo": {"text": "skmlp"},
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"index": [], "getting_started": []}
