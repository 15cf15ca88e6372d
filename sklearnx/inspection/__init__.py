"""Looking into fitted models."""

from sklearnx.inspection._tree_plot import plot_tree
from sklearnx.inspection._tree_table import tree_table

__all__ = ["plot_tree", "tree_table"]
