"""Symmetric growth: all nodes of a level are split alike.

Such trees are also called oblivious: Kohavi and Li, "Oblivious decision trees, graphs,
and top-down pruning", IJCAI 1995; boosted by Prokhorenkova et al., "CatBoost", NeurIPS
2018, section 4.
"""

from libc.stdint cimport INT32_MAX

from sklearnx._cython.boosting.frontier cimport Frontier


cdef class Symmetric(Frontier):
    """A batch is a level, while two to the number of levels is at most the leaves."""

    cdef int n_levels, max_levels

    def __init__(self, *, int max_leaf_nodes, int max_depth):
        super().__init__(max_leaf_nodes=max_leaf_nodes, max_depth=max_depth)
        self.shares_split = True
        self.max_levels = INT32_MAX
        if max_leaf_nodes > 0:
            self.max_levels = (<object> max_leaf_nodes).bit_length() - 1
        if 0 < max_depth < self.max_levels:
            self.max_levels = max_depth

    cdef void start(self) noexcept nogil:
        Frontier.start(self)
        self.n_levels = 0

    cdef int pop(self) noexcept nogil:
        if self.n_levels == self.max_levels:
            return 0
        self.n_levels += 1
        self.is_last = self.n_levels == self.max_levels
        return self.take(self.n_waiting)
