"""A tree of clusters, each split in two where it is not a leaf.

M. Steinbach, G. Karypis and V. Kumar. "A comparison of document clustering techniques".
KDD Workshop on Text Mining 2000. Section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class BisectingTree:
    """Clusters in the order in which they were made, the root first.

    As the s-th split makes clusters 2 s + 1 and 2 s + 2, the first 2 k - 1 of them are
    the tree of k leaves.
    """

    centers: np.ndarray  # (n_nodes, n_features)
    left: np.ndarray  # (n_nodes,), the first of two children; -1 of a leaf

    def get_arrays(self):
        """What a file keeps."""
        return {"centers": self.centers, "left": self.left}

    @classmethod
    def from_arrays(cls, arrays):
        """The tree that a file has kept.

        Raises
        ------
        ValueError
            If the arrays are not those of a tree.
        """
        centers, left = np.asarray(arrays["centers"]), np.asarray(arrays["left"])
        if centers.ndim != 2 or centers.dtype.kind != "f" or left.dtype.kind != "i":
            raise ValueError("a tree of clusters has centres, and numbers of children")
        if left.shape != (len(centers),) or len(left) % 2 == 0:
            raise ValueError("a tree of clusters has a centre for each node")
        # Each split made the next two nodes.
        parents = np.flatnonzero(left >= 0)
        children = np.sort(left[parents])
        is_tree = np.array_equal(children, np.arange(1, len(left), 2)) and np.all(
            left[parents] > parents
        )
        if not is_tree or np.any(left < -1):
            raise ValueError("the nodes of a tree of clusters are no tree")
        return cls(centers, left)

    def find_leaves(self):
        """The leaves from left to right: the one at position i has label i."""
        leaves, waiting = [], [0]
        while waiting:
            node = waiting.pop()
            if self.left[node] < 0:
                leaves.append(node)
            else:
                waiting += [self.left[node] + 1, self.left[node]]
        return leaves

    def cut(self, n_leaves):
        """The tree as it was when it had so many leaves."""
        n_nodes = 2 * n_leaves - 1
        left = np.where(self.left[:n_nodes] < n_nodes, self.left[:n_nodes], -1)
        return BisectingTree(self.centers[:n_nodes], left)

    def map_labels(self, cut):
        """The label in a cut of this tree, for each label in it."""
        parents = np.arange(len(self.left))
        for node in range(len(self.left) - 1, -1, -1):
            if self.left[node] >= 0:
                parents[self.left[node] : self.left[node] + 2] = node
        label_of = {leaf: label for label, leaf in enumerate(cut.find_leaves())}
        labels = []
        for leaf in self.find_leaves():
            node = leaf
            while node not in label_of:
                node = parents[node]
            labels.append(label_of[node])
        return np.array(labels, dtype=np.int32)

    def assign(self, rows):
        """Labels of rows, each going down to the nearer of two children.

        Parameters
        ----------
        rows : accessor
            As `make_rows` returns it.

        Returns
        -------
        labels : ndarray of shape (n_rows,), dtype int32
        """
        labels = np.empty(rows.n_rows, dtype=np.int32)
        label_of = {leaf: label for label, leaf in enumerate(self.find_leaves())}
        waiting = [(0, np.arange(rows.n_rows), rows)]
        while waiting:
            node, indices, inside = waiting.pop()
            left = self.left[node]
            if left < 0:
                labels[indices] = label_of[node]
                continue
            sides, _ = inside.assign(self.centers[left : left + 2])
            for side in (0, 1):
                own = np.flatnonzero(sides == side)
                if len(own):
                    subset = None  # leaves need no rows
                    if self.left[left + side] >= 0:
                        subset = inside.take_rows(own)
                    waiting.append((left + side, indices[own], subset))
        return labels


def _can_split(indices, sample_weight):
    """Whether two rows of a cluster can be drawn by their weights."""
    if len(indices) < 2:
        return False
    return sample_weight is None or np.count_nonzero(sample_weight[indices]) >= 2


def grow_tree(n_rows, n_clusters, root_center, sample_weight, split):
    """Split the leaf of the largest score until there are `n_clusters` leaves.

    Parameters
    ----------
    n_rows, n_clusters : int
        Rows and leaves.

    root_center : ndarray of shape (n_features,)
        Of the root.

    sample_weight : ndarray of shape (n_rows,) or None
        Leaves with less than two rows of positive weight are not split.

    split : callable
        Takes the row numbers of a cluster, returns sides (0 or 1) of these rows, the
        two centres, and the two scores.

    Returns
    -------
    tree : BisectingTree
    labels : ndarray of shape (n_rows,), dtype int32
        In the order of the leaves.
    """
    n_nodes = 2 * n_clusters - 1
    tree = BisectingTree(
        np.empty((n_nodes, len(root_center)), dtype=root_center.dtype),
        np.full(n_nodes, -1),
    )
    tree.centers[0] = root_center
    members = {0: np.arange(n_rows)}
    scores = np.zeros(n_nodes)
    for first in range(1, n_nodes, 2):
        leaves = [
            leaf
            for leaf in tree.find_leaves()
            if _can_split(members[leaf], sample_weight)
        ]
        if not leaves:
            raise ValueError(
                f"n_clusters={n_clusters} is more than the rows of positive "
                "sample_weight allow."
            )
        node = leaves[int(np.argmax(scores[leaves]))]  # the first of equal ones
        indices = members.pop(node)
        sides, centers, scores[first : first + 2] = split(indices)
        tree.left[node] = first
        tree.centers[first : first + 2] = centers
        members[first], members[first + 1] = indices[sides == 0], indices[sides == 1]
    labels = np.empty(n_rows, dtype=np.int32)
    for label, leaf in enumerate(tree.find_leaves()):
        labels[members[leaf]] = label
    return tree, labels
