"""What the docstrings of agglomerative clustering of rows and of columns share."""

from __future__ import annotations

from sklearnx._docstrings import fill_from

_TEXTS = {
    "n_clusters": """
        n_clusters : int or None, default=2
            Number of clusters. None if `distance_threshold` is given.
        """,
    "memory": """
        memory : str or object with the joblib.Memory interface, default=None
            Where trees are kept for later calls: the path of a folder. None keeps none.
        """,
    "compute_full_tree": """
        compute_full_tree : "auto" or bool, default="auto"
            Whether the tree is built beyond `n_clusters`; without `connectivity` it
            always is, and with `distance_threshold` it must be. "auto" does so for less
            than 100 clusters or 2 % of the ITEMs.
        """,
    "linkage": """
        linkage : {"ward", "complete", "average", "single"}, default="ward"
            The distance of two clusters. Of the distances of a ITEM of one and a ITEM
            of the other: "complete" takes the largest, "average" the average, "single"
            the least. "ward" merges what raises the sum of squares within clusters
            least.
        """,
    "distances": """
        distance_threshold : float, default=None
            Clusters of at least this distance are not merged. Not with `n_clusters`.

        compute_distances : bool, default=False
            Whether there is an attribute `distances_` without `distance_threshold`.
        """,
    "attributes": """
        n_clusters_ : int
            Number of clusters.

        labels_ : ndarray of shape (COUNT,), dtype intp
            The cluster of each ITEM, from 0.

        n_leaves_ : int
            Number of leaves of the tree, ``COUNT``.

        n_connected_components_ : int
            Number of components of `connectivity`, 1 without.

        n_features_in_ : int
            Number of columns seen in `fit`.

        feature_names_in_ : ndarray of shape (`n_features_in_`,), dtype object
            Names of the columns. Only where all names of `X` are strings.

        children_ : ndarray of shape (n_merges, 2), dtype intp
            The two nodes that each merge unites to node ``COUNT + i``. Nodes below
            ``COUNT`` are ITEMs. Merges are in the order of their distances.

        distances_ : ndarray of shape (n_merges,), dtype float64
            The distances of what is merged. Only with `distance_threshold` or
            `compute_distances`.
        """,
}


def document(item, count):
    """A decorator that fills the docstring of a class that clusters items.

    item : their name, "row" or "column"; count : what their number is called.
    """
    return fill_from(
        {
            name: text.replace("ITEM", item).replace("COUNT", count)
            for name, text in _TEXTS.items()
        }
    )
