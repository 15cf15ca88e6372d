"""The nodes that wait to be split: a queue that knows nothing of data or devices.

A growth policy is a subclass, in a file of its own. It decides when nodes leave the
queue, and which of them leave together:

    start, then for each tree:  push the root
                                pop a batch, split its nodes, push their children, ...
                                until pop returns 0
"""

import numpy as np

from libc.stdint cimport INT32_MAX, int32_t
from libc.stdlib cimport free, realloc
from libcpp.algorithm cimport sort


def list_batches(Frontier frontier, const double[::1] gains, int n_before_pop=1):
    """Return nodes in the batches in which they are popped.

    Parameters
    ----------
    frontier : Frontier
    gains : float64 array of shape (n_nodes,)
        IN, of node 0, 1, ..., which are pushed in this order.
    n_before_pop : int, default=1
        After so many pushes a batch is popped, until all are pushed.

    Returns
    -------
    batches : list of int32 arrays
        They end with the one that the frontier calls its last, if it does.
    """
    cdef int32_t node
    batches = []

    def pop():
        cdef int i, n_nodes = frontier.pop()
        if n_nodes > 0:
            batches.append(np.array([frontier.batch[i] for i in range(n_nodes)]))
        return n_nodes > 0 and not frontier.is_last

    frontier.start()
    for node in range(gains.shape[0]):
        if not frontier.push(gains[node], node):
            raise MemoryError()
        if (node + 1) % n_before_pop == 0 and not pop():
            return batches
    while pop():
        pass
    return batches


cdef class Frontier:
    """Nodes that wait to be split.

    Parameters
    ----------
    max_leaf_nodes, max_depth : int
        Of a tree; 0 means no limit. The grower pushes no node that is too deep.

    Attributes
    ----------
    shares_split : bool
        Whether the nodes of a batch are split alike.
    is_last : bool
        Whether no batch follows the one popped last.
    """

    def __cinit__(self, *args, **kwargs):
        self.waiting = NULL
        self.batch = NULL

    def __init__(self, *, int max_leaf_nodes, int max_depth):
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.shares_split = False

    def __dealloc__(self):
        free(self.waiting)
        free(self.batch)

    cdef void start(self) noexcept nogil:
        """Forget all nodes: a new tree begins."""
        self.n_waiting = 0
        self.is_last = False
        self.n_splits_left = INT32_MAX
        if self.max_leaf_nodes > 0:
            self.n_splits_left = self.max_leaf_nodes - 1

    cdef bint push(self, double gain, int32_t node) noexcept nogil:
        """Add a node at the end; return False if there is no memory left."""
        cdef:
            int capacity
            candidate_t* waiting
            int32_t* batch
        if self.n_waiting == self.capacity:
            capacity = 2 * self.capacity + 64
            waiting = <candidate_t*> realloc(
                self.waiting, capacity * sizeof(candidate_t)
            )
            if waiting == NULL:
                return False
            self.waiting = waiting
            batch = <int32_t*> realloc(self.batch, capacity * sizeof(int32_t))
            if batch == NULL:
                return False
            self.batch = batch
            self.capacity = capacity
        self.waiting[self.n_waiting].gain = gain
        self.waiting[self.n_waiting].node = node
        self.n_waiting += 1
        return True

    cdef int pop(self) noexcept nogil:
        """Move nodes to `batch`; return how many, 0 if the tree is done.

        The default is all that wait.
        """
        return self.take(self.n_waiting)

    cdef int take(self, int n_nodes) noexcept nogil:
        """Move the first nodes to `batch` in the order they were made; drop others."""
        cdef int i
        for i in range(n_nodes):
            self.batch[i] = self.waiting[i].node
        sort(self.batch, self.batch + n_nodes)
        self.n_waiting = 0
        return n_nodes
