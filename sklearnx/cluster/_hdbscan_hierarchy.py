"""What a fitted HDBSCAN says of rows, new ones too, and of its hierarchy."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearnx._cluster.condensed_tree import score_outliers
from sklearnx._cluster.hdbscan import cluster_merges
from sklearnx._cluster.hdbscan_state import pack_hierarchy, unpack_hierarchy
from sklearnx._cluster.membership import (
    attach_by_rows,
    attach_by_tree,
    find_exemplars,
    measure_to_exemplars,
    place_attached,
    weigh_memberships,
)
from sklearnx._cluster.selection import label_lambdas
from sklearnx._cluster.single_linkage import add_outliers, link_edges
from sklearnx._threads import effective_n_threads
from sklearnx._validation import validate_data

# Labels of rows with infinite and with missing values.
INFINITE = -2
MISSING = -3

_EDGE_DTYPE = np.dtype([("start", np.intp), ("stop", np.intp), ("weight", np.float64)])

# What a pickle or a file does without, since it follows from the hierarchy.
_DERIVED = {"_clustering", "_distances", "_merges", "_reachability", "_rows"}


def _spread(kinds, values, infinite, missing):
    """Values of rows of kind 0, and others for those of other kinds."""
    out = np.empty((len(kinds), *values.shape[1:]), dtype=values.dtype)
    out[kinds == 0] = values
    out[kinds == INFINITE] = infinite
    out[kinds == MISSING] = missing
    return out


class HierarchyOfRows:
    """Methods and attributes that need no more than what `HDBSCAN.fit` keeps.

    It keeps ``_reachability``, ``_merges``, ``_clustering``, ``_distances`` (stages of
    sklearnx/_cluster/hdbscan.py), ``_kinds`` (0, `INFINITE` or `MISSING` for each row,
    None where all are finite), ``_rows`` (the finite ones, None where a k-d tree has
    them) and ``_fitted_min_samples``.
    """

    def predict(self, X):
        """Labels of new rows in the clusters found by `fit`, which stay as they are.

        Each row, by itself, goes to where the row of `fit` is that is nearest by mutual
        reachability, if it is near enough to belong to a cluster there. A row that is
        equal to one of `fit` gets its label, the first one's of several.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            New rows. With ``metric="precomputed"`` an array of shape
            (n_queries, n_samples) of their distances to the rows of `fit`.

        Returns
        -------
        labels : ndarray of shape (n_queries,), dtype int64
            As ``labels_``.
        """
        return self.approximate_predict(X)[0]

    def approximate_predict(self, X):
        """Labels of new rows as of `predict`, and how strongly they belong.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            As in `predict`.

        Returns
        -------
        labels : ndarray of shape (n_queries,), dtype int64
            As ``labels_``.

        probabilities : ndarray of shape (n_queries,), dtype float64
            As ``probabilities_``.
        """
        check_is_fitted(self)
        X = self._read_rows(X, reset=False)
        kinds = self._tell_rows(X)
        finite = None if kinds is None else np.flatnonzero(kinds == 0)
        queries = X if kinds is None else X[finite]
        table = self._clustering.table
        clusters, lambdas = self._place(queries)
        own_labels, own_probabilities = label_lambdas(
            table, self._clustering.selection, clusters, lambdas
        )
        if kinds is None:
            return own_labels, own_probabilities
        return (
            _spread(kinds, own_labels, INFINITE, MISSING),
            _spread(kinds, own_probabilities, 0.0, np.nan),
        )

    def membership_vectors(self, X=None):
        """How much rows belong to each of the clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            New rows, as in `predict`; None for those of `fit`.

        Returns
        -------
        memberships : ndarray of shape (n_queries, n_clusters), dtype float64
            From 0 to 1. The sum over clusters is how much a row belongs to any. Rows
            that are not finite belong to none; rows with missing values have nan.

        Notes
        -----
        .. math::

            u(x, c) = p(x) \\frac{a(x, c) b(x, c)}{\\sum_k a(x, k) b(x, k)}, \\quad
            a = \\frac{1}{d(x, e_c)}, \\quad b = e^{-D_c / \\lambda(x, c)}, \\quad
            p = \\max_c \\lambda(x, c) / D_c

        with the distance d to the nearest exemplar of the cluster (a row that stays
        longest in one of its densest parts), the lambda at which row and cluster part
        in the hierarchy, and the lambda D at which the cluster ends; a and b are scaled
        to sum to 1 first. This is the soft clustering of the package hdbscan, save that
        new rows are placed in the hierarchy as in `predict`.
        """
        check_is_fitted(self)
        if self._is_precomputed():
            raise ValueError(
                "Memberships need rows, not a precomputed distance matrix."
            )
        clustering = self._clustering
        rows = self._all_rows()
        if X is None:
            kinds, queries = self._kinds, rows
            clusters = clustering.table.point_cluster
            lambdas = clustering.table.point_lambda
        else:
            X = self._read_rows(X, reset=False)
            kinds = self._tell_rows(X)
            queries = X if kinds is None else X[np.flatnonzero(kinds == 0)]
            clusters, lambdas = self._place(queries)
        memberships = np.zeros((len(clusters), len(clustering.selection.clusters)))
        if memberships.size > 0:
            distances = measure_to_exemplars(
                queries,
                rows,
                find_exemplars(clustering.table, clustering.selection),
                self._distances,
                effective_n_threads(self.n_jobs),
            )
            memberships = weigh_memberships(
                clustering.table, clustering.selection, clusters, lambdas, distances
            )
        if kinds is None:
            return memberships
        return _spread(kinds, memberships, 0.0, np.nan)

    @property
    def outlier_scores_(self):
        """GLOSH outlier scores."""
        return self._spread(score_outliers(self._clustering.table), 1.0, np.nan)

    @property
    def core_distances_(self):
        """Core distances."""
        return self._spread(self._reachability.core, np.nan, np.nan)

    @property
    def minimum_spanning_tree_(self):
        """Edges of the minimum spanning tree."""
        edges = self._reachability.spanning_tree
        tree = np.empty(len(edges.weights), dtype=_EDGE_DTYPE)
        rows = self._finite_rows()
        tree["start"] = rows[edges.start]
        tree["stop"] = rows[edges.stop]
        tree["weight"] = edges.weights
        return tree

    @property
    def single_linkage_tree_(self):
        """Merges of the hierarchy."""
        if self._kinds is None:
            return self._merges
        return add_outliers(
            self._merges, self._finite_rows(), np.flatnonzero(self._kinds)
        )

    # scikit-learn's name for it, which tools read.
    @property
    def _single_linkage_tree_(self):
        return self.single_linkage_tree_

    @property
    def condensed_tree_(self):
        """What leaves which cluster of the condensed tree."""
        tree = self._clustering.rows
        if self._kinds is None:
            return tree
        n, n_finite = len(self._kinds), len(self._merges) + 1
        rows = self._finite_rows()
        child, is_row = tree["child"], tree["child"] < n_finite
        tree = tree.copy()
        tree["parent"] += n - n_finite
        tree["child"] = np.where(
            is_row, rows[np.where(is_row, child, 0)], child + (n - n_finite)
        )
        return tree

    def __getstate__(self):
        state = super().__getstate__()
        if "_reachability" not in state:
            return state
        state = {key: state[key] for key in state if key not in _DERIVED}
        hierarchy = pack_hierarchy(self._reachability, self._distances, self._rows)
        return {**state, "_hierarchy": hierarchy}

    def __setstate__(self, state):
        hierarchy = state.get("_hierarchy")
        super().__setstate__({k: v for k, v in state.items() if k != "_hierarchy"})
        if hierarchy is None:
            return
        self._reachability, self._distances, self._rows = unpack_hierarchy(
            hierarchy, effective_n_threads(self.n_jobs)
        )
        n_finite = len(self._reachability.core)
        kinds = self._kinds
        if kinds is not None and np.count_nonzero(kinds == 0) != n_finite:
            raise ValueError("the hierarchy is not that of the finite rows")
        self._merges = link_edges(self._reachability.spanning_tree)
        self._clustering = self._select_clusters()

    def _select_clusters(self):
        """A flat clustering of the hierarchy."""
        return cluster_merges(
            self._merges,
            self.min_cluster_size,
            method=self.cluster_selection_method,
            allow_single_cluster=self.allow_single_cluster,
            epsilon=self.cluster_selection_epsilon,
            max_cluster_size=self.max_cluster_size,
        )

    def _is_precomputed(self):
        return isinstance(self.metric, str) and self.metric == "precomputed"

    def _read_rows(self, X, reset):
        """A table, whose values may be other than finite, or distances."""
        if self._is_precomputed() and not reset:
            # Distances to the rows of fit, of which there are as many as features.
            return validate_data(
                self, X, reset=False, ensure_all_finite=False, dtype=np.float64
            )
        if self._is_precomputed():
            is_sparse = sparse.issparse(X)
            X = validate_data(
                self,
                X,
                accept_sparse=["csr", "lil"],
                ensure_all_finite=is_sparse,
                dtype=np.float64,
            )
            if not is_sparse and np.isnan(X).any():
                raise ValueError("np.nan values found in precomputed-dense")
        else:
            X = validate_data(
                self,
                X,
                reset=reset,
                accept_sparse=["csr", "lil"],
                ensure_all_finite=False,
                dtype=[np.float64, np.float32],
            )
        return X.tocsr() if sparse.issparse(X) else X

    def _tell_rows(self, X):
        """0 for finite rows, else `INFINITE` or `MISSING`; None if all are finite."""
        if self._is_precomputed():
            return None
        values = X.data if sparse.issparse(X) else X
        if np.isfinite(values).all():
            return None
        kinds = np.zeros(X.shape[0], dtype=np.int32)
        for kind, is_kind in ((INFINITE, np.isinf), (MISSING, np.isnan)):
            if sparse.issparse(X):
                of_row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
                kinds[of_row[is_kind(X.data)]] = kind
            else:
                kinds[is_kind(X).any(axis=1)] = kind
        return kinds

    def _finite_rows(self):
        """The rows of `fit` that are finite."""
        if self._kinds is None:
            return np.arange(len(self._merges) + 1)
        return np.flatnonzero(self._kinds == 0)

    def _all_rows(self):
        """The finite rows of `fit`."""
        tree = self._reachability.kd_tree
        return self._rows if tree is None else tree.restore_rows()

    def _spread(self, values, infinite, missing):
        """Values of the finite rows, and others for the rest."""
        if self._kinds is None:
            return values
        return _spread(self._kinds, values, infinite, missing)

    def _place(self, queries):
        """Where new rows leave the hierarchy: clusters, and lambdas."""
        distances, min_samples = self._distances, self._fitted_min_samples
        table = self._clustering.table
        if queries.shape[0] == 0:
            return np.empty(0, dtype=np.int64), np.empty(0)
        if self._reachability.kd_tree is not None:
            # Where alpha divides all distances, so it does after the comparison.
            attached = attach_by_tree(
                queries,
                self._reachability,
                min_samples,
                distances.for_tree(queries),
                alpha=distances.alpha,
                scale_core=distances.as_matrix,
                n_threads=effective_n_threads(self.n_jobs),
            )
        else:
            attached = attach_by_rows(
                queries,
                distances.make_source(self._rows),
                self._reachability.core,
                min_samples,
                alpha=distances.alpha,
                as_matrix=distances.as_matrix,
            )
        return place_attached(table, attached)
