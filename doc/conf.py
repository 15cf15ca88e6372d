"""Configuration of the documentation: `sphinx-build doc doc/_build/html`."""

from importlib.metadata import version as get_version

project = "sklearnx"
author = "The sklearnx developers"
copyright = "The sklearnx developers"
version = release = get_version("sklearnx")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/**.ipynb", "auto_examples/*.py.md5"]
templates_path = ["_templates"]
default_role = "code"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # types stand in the numpydoc sections
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # The main job takes a minute and is shown, not run.
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sklearnx",),
    "download_all_examples": False,
    "show_signature": False,
    "within_subsection_order": "FileNameSortKey",
}

toc_object_entries_show_parents = "hide"
html_theme = "pydata_sphinx_theme"
html_title = "sklearnx"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2}

# Docstrings inherited from scikit-learn refer to its glossary and its user guide.
SKLEARN_URL = "https://scikit-learn.org/stable/"
SKLEARN_PAGES = {
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "df_output_transform": "modules/df_output_transform.html",
    "histogram_based_gradient_boosting": "modules/ensemble.html",
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}


def link_to_sklearn(app, env, node, contnode):
    """Resolve what only scikit-learn's own documentation defines."""
    from docutils import nodes

    target = node["reftarget"]
    if node["reftype"] == "term":
        page = f"glossary.html#term-{target.replace(' ', '-')}"
    elif node["reftype"] == "ref" and target in SKLEARN_PAGES:
        page = SKLEARN_PAGES[target]
    else:
        return None
    return nodes.reference("", "", contnode, internal=False, refuri=SKLEARN_URL + page)


def setup(app):
    app.connect("missing-reference", link_to_sklearn)
