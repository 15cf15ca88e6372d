"""How many clusters: scores over the number of clusters, from shared work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from sklearnx._cluster.cluster_scores import score_scatter, score_silhouettes
from sklearnx._cluster.k_rules import find_elbow, find_largest
from sklearnx._compat import Interval, validate_params
from sklearnx._threads import effective_n_threads
from sklearnx.cluster._fits_over_k import fit_each, fit_sharing

if TYPE_CHECKING:
    import matplotlib.axes

# What the curves are called in words.
_TITLES = {
    "inertia": "Inertia",
    "silhouette": "Silhouette",
    "simplified_silhouette": "Simplified silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
}


@dataclass(frozen=True, eq=False, repr=False)
class NClustersSelection:
    """Scores over the number of clusters, as `select_n_clusters` returns them.

    A score that is not defined, as all but the inertia are for one cluster, is NaN.

    Attributes
    ----------
    n_clusters : ndarray of shape (n_fits,), dtype int64
        The numbers of clusters that were tried, ascending.

    inertia : ndarray of shape (n_fits,), dtype float64
        The ``inertia_`` of the fits; of estimators without it, the sum of squared
        distances of rows to the mean of their cluster.

    silhouette : ndarray of shape (n_fits,), dtype float64
        Mean silhouettes, from -1 to 1, the larger the better. All NaN if they were not
        asked for.

    simplified_silhouette : ndarray of shape (n_fits,), dtype float64
        Mean silhouettes with the distance to the mean of a cluster in place of the mean
        distance to its rows.

    calinski_harabasz : ndarray of shape (n_fits,), dtype float64
        Variance between clusters over that within, the larger the better.

    davies_bouldin : ndarray of shape (n_fits,), dtype float64
        Mean similarity of clusters to the one most similar, the smaller the better.

    best : dict of str to int
        The number of clusters that each rule chooses. The rules have the names of the
        curves: the largest silhouette, simplified silhouette and Calinski-Harabasz
        index, the least Davies-Bouldin index, and, for "inertia", the elbow of the
        curve. A rule that has nothing to choose from is left out.

    labels : ndarray of shape (n_fits, n_samples), dtype int32
        Labels of all rows.

    estimators : list of estimator, of length n_fits
        The fitted estimators.

    silhouette_samples : ndarray of shape (n_fits, n_rows), dtype float64, or None
        The silhouette of each of `silhouette_rows`; None if they were not asked for.

    silhouette_rows : ndarray of shape (n_rows,), dtype int64
        The rows that the silhouettes are of: all of them, or those drawn.
    """

    n_clusters: np.ndarray
    inertia: np.ndarray
    silhouette: np.ndarray
    simplified_silhouette: np.ndarray
    calinski_harabasz: np.ndarray
    davies_bouldin: np.ndarray
    best: dict[str, int]
    labels: np.ndarray
    estimators: list[Any]
    silhouette_samples: np.ndarray | None
    silhouette_rows: np.ndarray

    def best_estimator(self, rule: str = "silhouette") -> Any:
        """The fitted estimator with the number of clusters that a rule chooses.

        Parameters
        ----------
        rule : str, default="silhouette"
            A key of ``best``.

        Returns
        -------
        estimator : estimator
            Of ``estimators``.
        """
        if rule not in self.best:
            raise ValueError(
                f"rule={rule!r} chooses nothing here; those that do: {list(self.best)}."
            )
        position = np.searchsorted(self.n_clusters, self.best[rule])
        return self.estimators[position]

    def __repr__(self):
        names = [name for name in _TITLES if not np.isnan(getattr(self, name)).all()]
        # A mark behind each number says that the rule chooses it.
        lines = ["n_clusters" + "".join(f"  {name:>11} " for name in names).rstrip()]
        for i, k in enumerate(self.n_clusters):
            cells = ""
            for name in names:
                mark = "*" if self.best.get(name) == k else " "
                width = max(11, len(name))
                cells += f"  {getattr(self, name)[i]:>{width}.6g}{mark}"
            lines.append(f"{k:>10}{cells}".rstrip())
        return "\n".join(lines)

    def plot(self, axes: Any = None) -> np.ndarray:
        """Draw the curves, with a line at the number of clusters that each chooses.

        Parameters
        ----------
        axes : array-like of matplotlib Axes, default=None
            Four places to draw: for the inertia, the silhouettes, the Calinski-Harabasz
            and the Davies-Bouldin index. By default a new figure has them side by side.

        Returns
        -------
        axes : ndarray of shape (4,) of matplotlib Axes
            What was drawn in.

        Notes
        -----
        Needs matplotlib: ``pip install "sklearnx[plot]"``.
        """
        try:
            import matplotlib.pyplot as plt
            from matplotlib.ticker import MaxNLocator
        except ImportError as error:
            raise ImportError(
                "NClustersSelection.plot draws with matplotlib, which is not "
                'installed: run pip install "sklearnx[plot]".'
            ) from error
        if axes is None:
            _, axes = plt.subplots(1, 4, figsize=(14, 3.2), layout="constrained")
        axes = np.ravel(axes)
        panels = [
            ["inertia"],
            ["silhouette", "simplified_silhouette"],
            ["calinski_harabasz"],
            ["davies_bouldin"],
        ]
        if len(axes) != len(panels):
            raise ValueError(f"axes has to have {len(panels)} Axes, got {len(axes)}.")
        for ax, names in zip(axes, panels):
            for i, name in enumerate(names):
                self._draw_curve(ax, name, f"C{i}")
            ax.set_title(_TITLES[names[0]])
            ax.set_xlabel("Number of clusters")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            if len(names) > 1:
                ax.legend()
        return axes

    def _draw_curve(self, ax: matplotlib.axes.Axes, name: str, color: str) -> None:
        ax.plot(
            self.n_clusters,
            getattr(self, name),
            marker="o",
            color=color,
            label=_TITLES[name],
        )
        if name in self.best:
            ax.axvline(self.best[name], color=color, linestyle="--", linewidth=1)


def _check_ks(n_clusters, n_samples):
    """The numbers of clusters, ascending, each once."""
    for k in n_clusters:
        if isinstance(k, bool) or not isinstance(k, Integral):
            raise TypeError(
                f"n_clusters has to hold integers, got {k!r} of {type(k).__name__}."
            )
        if not 1 <= k <= n_samples:
            raise ValueError(
                f"n_clusters has to hold numbers from 1 to n_samples={n_samples}, got "
                f"{k}."
            )
    if not n_clusters:
        raise ValueError("n_clusters is empty.")
    return sorted({int(k) for k in n_clusters})


def _check_estimator(estimator):
    is_instance = not isinstance(estimator, type)
    if not (
        is_instance and hasattr(estimator, "fit") and hasattr(estimator, "get_params")
    ):
        raise TypeError(f"estimator has to be an estimator, got {estimator!r}.")
    if "n_clusters" not in estimator.get_params(deep=False):
        raise TypeError(
            f"estimator has to have a parameter n_clusters; "
            f"{type(estimator).__name__} has none."
        )


def _score_samples(X, labels, rows):
    """Silhouettes of rows, one line a clustering; NaN where they are not defined."""
    samples = np.full((len(labels), len(rows)), np.nan)
    n_labels = np.array([len(np.unique(line[rows])) for line in labels])
    defined = np.flatnonzero((n_labels > 1) & (n_labels < len(rows)))
    if len(defined):
        samples[defined] = score_silhouettes(
            X, labels[defined], rows, effective_n_threads()
        )
    return samples


def _choose(ks, curves):
    """The number of clusters by each rule that has something to choose from."""
    positions = {"inertia": find_elbow(ks, curves["inertia"])}
    for name in ("silhouette", "simplified_silhouette", "calinski_harabasz"):
        positions[name] = find_largest(curves[name])
    positions["davies_bouldin"] = find_largest(-curves["davies_bouldin"])
    return {name: int(ks[at]) for name, at in positions.items() if at is not None}


@validate_params(
    {
        "silhouette": ["boolean"],
        "sample_size": [Interval(Integral, 3, None, closed="left"), None],
        "random_state": ["random_state"],
        "share_fits": ["boolean"],
    },
    prefer_skip_nested_validation=False,
)
def select_n_clusters(
    estimator: Any,
    X: Any,
    n_clusters: Iterable[int] = range(2, 11),
    *,
    sample_weight: Any = None,
    silhouette: bool = True,
    sample_size: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    share_fits: bool = True,
) -> NClustersSelection:
    """Fit an estimator for several numbers of clusters and compare them.

    The fits share work where the algorithm allows, and the scores of all of them come
    from one pass over the distances between rows, so that scoring ten numbers of
    clusters takes little longer than scoring one.

    Parameters
    ----------
    estimator : estimator
        A clusterer with a parameter `n_clusters`, such as `KMeans`, `BisectingKMeans`
        or `AgglomerativeClustering`. It is cloned and stays as it is.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows to cluster.

    n_clusters : iterable of int, default=range(2, 11)
        The numbers of clusters, from 1 to n_samples.

    sample_weight : array-like of shape (n_samples,), default=None
        Passed to the estimator's `fit`. Only the inertia of estimators that take it
        knows of it; all other scores count each row once.

    silhouette : bool, default=True
        Whether to compute silhouettes. They take time that grows with the square of the
        number of rows, about 0.5 s for 20,000 rows and 20 features on two cores. All
        other scores take little.

    sample_size : int, default=None
        How many rows, drawn at random without replacement, the silhouettes are computed
        of and from; None for all.

    random_state : int, RandomState instance or None, default=None
        Draws the sample. The draws of the estimator come from its own.

    share_fits : bool, default=True
        Whether fits may share work. False gives exactly what the estimator gives for
        each number of clusters by itself; see the notes.

    Returns
    -------
    selection : NClustersSelection
        Curves, what each rule chooses, labels and fitted estimators, with a method
        `plot`.

    Raises
    ------
    TypeError
        If the estimator has no parameter `n_clusters`.

    ValueError
        If a number of clusters is not in 1, ..., n_samples.

    See Also
    --------
    silhouette_samples : Silhouettes of given labels.

    Notes
    -----
    With ``share_fits=True``

    - `KMeans` with ``init="k-means++"`` draws seeds for the largest number of clusters
      and starts each fit from the first of them, which are a seeding by k-means++ as
      well (a new one for each of `n_init`). The inertias then vary less by chance from
      one number of clusters to the next.
    - `BisectingKMeans` and `AgglomerativeClustering` build their tree once, and it is
      cut for each number of clusters. The labels are those of separate fits
      (`BisectingKMeans` with an integer as `random_state`).
    - Other estimators are fitted separately.

    Silhouettes are exact and Euclidean. Rows are ordered so that those which agree in
    all labels follow each other; distances are added up once for each such group.
    Results do not depend on the number of threads.

    References
    ----------
    .. [1] P. J. Rousseeuw. "Silhouettes: a graphical aid to the interpretation and
       validation of cluster analysis". Journal of Computational and Applied Mathematics
       20, 1987. Equation 2.
    .. [2] E. R. Hruschka, L. N. de Castro and R. J. G. B. Campello. "Evolutionary
       algorithms for clustering gene-expression data". ICDM 2004. Section 3 (the
       simplified silhouette).
    .. [3] T. Caliński and J. Harabasz. "A dendrite method for cluster analysis".
       Communications in Statistics 3, 1974.
    .. [4] D. L. Davies and D. W. Bouldin. "A cluster separation measure". IEEE
       Transactions on Pattern Analysis and Machine Intelligence 1, 1979.
    .. [5] V. Satopää, J. Albrecht, D. Irwin and B. Raghavan. "Finding a 'Kneedle' in a
       Haystack". ICDCS Workshops 2011 (the elbow).

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearnx.cluster import KMeans, select_n_clusters
    >>> X, _ = make_blobs(300, centers=4, cluster_std=0.5, random_state=0)
    >>> selection = select_n_clusters(KMeans(random_state=0), X, range(2, 8))
    >>> selection.best["silhouette"]
    4
    >>> labels = selection.best_estimator().labels_
    """
    _check_estimator(estimator)
    checked = check_array(
        X,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        accept_large_sparse=False,
    )
    n_samples = checked.shape[0]
    ks = _check_ks(list(n_clusters), n_samples)
    rows = np.arange(n_samples)
    if sample_size is not None:
        rows = check_random_state(random_state).permutation(n_samples)[:sample_size]

    fit_params = {} if sample_weight is None else {"sample_weight": sample_weight}
    estimators = (fit_sharing if share_fits else fit_each)(estimator, X, ks, fit_params)
    labels = np.stack([fitted.labels_ for fitted in estimators]).astype(np.int32)
    scatter = score_scatter(checked, labels, effective_n_threads())
    curves = scatter._asdict()
    within = curves.pop("within")
    curves["inertia"] = np.array(
        [getattr(fitted, "inertia_", sum_) for fitted, sum_ in zip(estimators, within)]
    )
    samples = _score_samples(checked, labels, rows) if silhouette else None
    curves["silhouette"] = np.full(len(ks), np.nan)
    if samples is not None:
        curves["silhouette"] = samples.mean(axis=1)
    return NClustersSelection(
        n_clusters=np.array(ks),
        best=_choose(np.array(ks), curves),
        labels=labels,
        estimators=estimators,
        silhouette_samples=samples,
        silhouette_rows=rows,
        **curves,
    )
