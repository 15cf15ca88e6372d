"""Clusters of a reachability plot (see steep_areas.h)."""

import numpy as np

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

cdef extern from "steep_areas.h" nogil:
    ctypedef struct skx_plot_t:
        const double* reach
        const int64_t* predecessors
        int64_t n
        double shrink
        int64_t min_samples, min_size
    ctypedef struct skx_valley_t:
        int64_t start, end
    vector[skx_valley_t] skx_find_valleys(
        const skx_plot_t& plot, bint corrects
    ) except +
    void skx_label_valleys(
        const vector[skx_valley_t]& valleys, int64_t n, int64_t* labels
    ) except +


def find_valleys(
    const double[::1] reach, const int64_t[::1] predecessors, double xi,
    int64_t min_samples, int64_t min_size, bint corrects, int64_t[::1] labels,
):
    """Find clusters between steep areas.

    Parameters
    ----------
    reach : array of shape (n + 1,)
        IN, reachability in the order of OPTICS, and an inf.
    predecessors : array of shape (n,)
        IN, places in that order, -1 for none.
    xi : float
        Steepness, from 0 to 1.
    min_samples : int
        Points in a row of a steep area that need not be steep.
    min_size : int
        Least number of points of a cluster.
    corrects : bool
        Whether to cut off points at the end that were reached from elsewhere.
    labels : array of shape (n,)
        OUT, numbers of the innermost clusters, in order, -1 for the rest.

    Returns
    -------
    clusters : ndarray of shape (n_clusters, 2), dtype int64
        First and last place of each, inner clusters before those around them.
    """
    cdef:
        skx_plot_t plot
        vector[skx_valley_t] valleys
        int64_t[:, ::1] places
        int64_t i
    plot.reach = &reach[0]
    plot.n = predecessors.shape[0]
    plot.predecessors = &predecessors[0]
    plot.shrink = 1.0 - xi
    plot.min_samples = min_samples
    plot.min_size = min_size
    with nogil:
        valleys = skx_find_valleys(plot, corrects)
        skx_label_valleys(valleys, plot.n, &labels[0])
    clusters = np.empty((valleys.size(), 2), dtype=np.int64)
    places = clusters
    for i in range(<int64_t> valleys.size()):
        places[i, 0] = valleys[i].start
        places[i, 1] = valleys[i].end
    return clusters
