"""Fits of an estimator for several numbers of clusters, which share what they can."""

from __future__ import annotations

import copy

from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering as _SklearnAgglomerativeClustering
from sklearn.cluster import KMeans as _SklearnKMeans
from sklearn.utils import check_random_state

from sklearnx._cluster.merge_trees import cut_tree
from sklearnx.cluster._bisecting_kmeans import BisectingKMeans
from sklearnx.cluster._kmeans import kmeans_plusplus


def fit_each(estimator, X, ks, fit_params):
    """Fit a clone for each number of clusters."""
    return [clone(estimator).set_params(n_clusters=k).fit(X, **fit_params) for k in ks]


def _fit_from_shared_seeds(estimator, X, ks, fit_params):
    """Seed once for the largest k; the first k seeds are a seeding of k-means++ too.

    Of several seedings the one with the least inertia is kept, for each k.
    """
    n_init = 1 if estimator.n_init == "auto" else estimator.n_init
    random_state = check_random_state(estimator.random_state)
    best = [None] * len(ks)
    for _ in range(n_init):
        seeds, _ = kmeans_plusplus(X, max(ks), random_state=random_state, **fit_params)
        for i, k in enumerate(ks):
            fitted = clone(estimator).set_params(
                n_clusters=k, init=seeds[:k].copy(), n_init=1
            )
            fitted.fit(X, **fit_params)
            if best[i] is None or fitted.inertia_ < best[i].inertia_:
                best[i] = fitted
    return best


def _fit_by_bisection(estimator, X, ks, fit_params):
    """Bisect to the largest k; on its way there it has been at all others."""
    largest = clone(estimator).set_params(n_clusters=max(ks)).fit(X, **fit_params)
    return [largest._cut(k, X, **fit_params) for k in ks]


def _fit_by_merges(estimator, X, ks, fit_params):
    """Build the whole tree of merges once, and cut it for each k."""
    whole = clone(estimator).set_params(n_clusters=min(ks), compute_full_tree=True)
    whole.fit(X, **fit_params)
    fits = []
    for k in ks:
        fitted = copy.copy(whole).set_params(
            n_clusters=k, compute_full_tree=estimator.compute_full_tree
        )
        fitted.n_clusters_ = k
        fitted.labels_ = cut_tree(k, whole.children_, whole.n_leaves_)
        fits.append(fitted)
    return fits


def fit_sharing(estimator, X, ks, fit_params):
    """Fit for each number of clusters, sharing work where the algorithm allows."""
    if isinstance(estimator, BisectingKMeans):
        fit = _fit_by_bisection
    elif isinstance(estimator, _SklearnAgglomerativeClustering):
        fit = _fit_by_merges
    elif isinstance(estimator, _SklearnKMeans) and (
        isinstance(estimator.init, str) and estimator.init == "k-means++"
    ):
        fit = _fit_from_shared_seeds
    else:
        fit = fit_each
    return fit(estimator, X, ks, fit_params)
