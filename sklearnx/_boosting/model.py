"""The model: flat arrays of nodes, which every reader and writer works on."""

import numpy as np

from sklearnx._boosting.packing import mark_equal, pack, unpack
from sklearnx._cython.boosting.binned_predicting import find_binned_leaves
from sklearnx._cython.boosting.collecting import NODE_DTYPE, STATS_DTYPE
from sklearnx._cython.boosting.linear_leaves import (
    LINEAR_LEAF_DTYPE,
    LINEAR_TERM_DTYPE,
)
from sklearnx._cython.boosting.predicting import (
    add_partial_dependence,
    add_predictions,
    find_leaves,
)

# Frames become plain arrays that many rows at a time.
ROWS_PER_CHUNK = 1 << 16
# Sparse rows become plain ones of so many values at a time.
MAX_DENSE_VALUES = 1 << 22


# What a model consists of: dtype and number of dimensions.
ARRAYS = {
    "init_score": (np.dtype(np.float64), 1),
    "nodes": (NODE_DTYPE, 1),
    "stats": (STATS_DTYPE, 1),
    "bitsets": (np.dtype(np.uint32), 1),
    "offsets": (np.dtype(np.int64), 1),
    "linear_leaves": (LINEAR_LEAF_DTYPE, 1),
    "linear_terms": (LINEAR_TERM_DTYPE, 1),
    "vectors": (np.dtype(np.float64), 2),
}
FLAGS = ("is_average", "adds_in_float32")
NO_LINEAR_LEAVES = np.empty(0, dtype=LINEAR_LEAF_DTYPE)
NO_LINEAR_TERMS = np.empty(0, dtype=LINEAR_TERM_DTYPE)


class Tree:
    """One tree: arrays of its nodes, and the levels that go left in `bitsets`.

    The linear models of leaves are in `linear_leaves` and `linear_terms`, which hold no
    other ones unless the tree is a part of a model; `nodes` know which are the tree's.

    The values of nodes are in `vectors`, float64 of shape (n_nodes, n_outputs), if
    leaves hold vectors; `nodes` and `stats` have zeros then. In what follows, values
    are of shape (n,) for n nodes of a tree of one output, else (n, n_outputs).
    """

    # Of our own trees; a model of other ones may say otherwise.
    adds_in_float32 = False

    def __init__(
        self,
        nodes,
        stats,
        bitsets,
        linear_leaves=NO_LINEAR_LEAVES,
        linear_terms=NO_LINEAR_TERMS,
        vectors=None,
    ):
        self.nodes = nodes
        self.stats = stats
        self.bitsets = bitsets
        self.linear_leaves = linear_leaves
        self.linear_terms = linear_terms
        self.vectors = vectors

    @property
    def values(self):
        """Values of all nodes, as inspection shows them."""
        return self.stats["value"] if self.vectors is None else self.vectors

    @property
    def _added_values(self):
        return self.nodes["value"] if self.vectors is None else self.vectors

    def get_leaf_values(self, leaf_nodes):
        """Return what leaves add to raw scores."""
        return self._added_values[leaf_nodes]

    def raise_leaf_values(self, leaf_nodes, values):
        """Have leaves add more to raw scores; inspection does not show it."""
        self._added_values[leaf_nodes] += values

    def set_leaf_values(self, leaf_nodes, values):
        """Replace the values of leaves.

        Parameters
        ----------
        leaf_nodes : int32 array of shape (n_leaves,)
        values : float64 array of shape (n_leaves,) or (n_leaves, n_outputs)
        """
        if self.vectors is not None:
            self.vectors[leaf_nodes] = values
            return
        self.nodes["value"][leaf_nodes] = values
        self.stats["value"][leaf_nodes] = values

    # -- linear models of leaves --

    def set_linear_models(self, leaf_nodes, leaves, terms):
        """Give leaves linear models.

        Parameters
        ----------
        leaf_nodes : int32 array of shape (n_leaves,)
        leaves : LINEAR_LEAF_DTYPE array of shape (n_leaves,)
            Of each leaf; it remains constant if its model has no terms.
        terms : LINEAR_TERM_DTYPE array
            Some may belong to no leaf.
        """
        is_linear = leaves["n_terms"] > 0
        self.nodes["left"][leaf_nodes[is_linear]] = 1 + np.arange(is_linear.sum())
        self.linear_leaves, self.linear_terms = select_models(leaves[is_linear], terms)

    def find_linear_leaves(self):
        """Return the nodes of leaves with linear models, and where these are."""
        is_linear = (self.nodes["feature"] < 0) & (self.nodes["left"] > 0)
        nodes = np.flatnonzero(is_linear)
        return nodes, self.nodes["left"][nodes] - 1

    def find_linear_features(self):
        """Return the feature of each term of the linear models."""
        _, models = self.find_linear_leaves()
        return select_models(self.linear_leaves[models], self.linear_terms)[1][
            "feature"
        ]

    @property
    def has_linear_leaves(self):
        return len(self.linear_leaves) > 0 and len(self.find_linear_leaves()[0]) > 0

    def scale_linear_models(self, factor):
        """Multiply the linear models with a number, in place."""
        _, models = self.find_linear_leaves()
        self.linear_leaves["intercept"][models] *= factor
        terms = find_terms(self.linear_leaves[models])
        self.linear_terms["coefficient"][terms] *= factor

    def round_linear_models(self, quantum):
        """Have what the linear models say rounded to multiples of a power of two."""
        _, models = self.find_linear_leaves()
        self.linear_leaves["quantum"][models] = quantum

    def negated(self):
        """Return a tree that takes away what this one adds."""
        nodes = self.nodes.copy()
        is_leaf = nodes["feature"] < 0
        nodes["value"][is_leaf] *= -1
        linear_nodes, models = self.find_linear_leaves()
        nodes["left"][linear_nodes] = 1 + np.arange(len(linear_nodes))
        tree = Tree(
            nodes,
            self.stats,
            self.bitsets,
            *select_models(self.linear_leaves[models], self.linear_terms),
            None if self.vectors is None else -self.vectors,
        )
        tree.scale_linear_models(-1)
        return tree

    # -- the nodes --

    def get_n_leaf_nodes(self):
        """Return the number of leaves."""
        return int(np.count_nonzero(self.nodes["feature"] < 0))

    def get_max_depth(self):
        """Return the number of edges from the root to the deepest leaf."""
        return int(self.stats["depth"].max())

    def add_predictions(self, X, raw, n_threads):
        """Add the tree's values for the rows of `X` to `raw`, (n_outputs, n_rows)."""
        offsets = np.array([0, len(self.nodes)], dtype=np.int64)
        _add_predictions(self, offsets, X, raw, n_threads)

    def find_leaves(self, X, n_threads):
        """Return the position of each row's leaf, int32 of shape (n_rows,)."""
        leaves = np.empty((X.shape[0], 1), dtype=np.int32)
        for rows, part, nodes, _ in make_dense(X, self.nodes):
            find_leaves(
                nodes.view(np.uint8),
                np.array([0, len(nodes)], dtype=np.int64),
                self.bitsets,
                part,
                leaves[rows],
                n_threads,
            )
        return leaves[:, 0]

    def find_binned_leaves(self, matrix, n_threads):
        """Return the same for the rows of the BinnedMatrix that the tree grew on."""
        leaves = np.empty(matrix.n_rows, dtype=np.int32)
        find_binned_leaves(
            matrix,
            self.nodes.view(np.uint8),
            np.ascontiguousarray(self.stats["bin"]),
            self.bitsets,
            leaves,
            n_threads,
        )
        return leaves


def make_dense(X, nodes, terms=NO_LINEAR_TERMS):
    """Yield rows as plain arrays, of sparse ones the features that trees ask for.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
    nodes : NODE_DTYPE array
    terms : LINEAR_TERM_DTYPE array

    Yields
    ------
    rows : slice
    part : ndarray of shape (n_some_rows, n_some_features)
        These rows of `X`: itself if it is an array.
    nodes, terms : arrays
        As given, save that they count the features of `part`.
    """
    if isinstance(X, np.ndarray):
        yield slice(None), X, nodes, terms
        return
    features = np.unique(np.concatenate([nodes["feature"], terms["feature"]]))
    features = features[features >= 0]
    if len(features) == 0:
        # Kernels want a value of each row.
        features = np.zeros(1, dtype=np.int64)
    nodes, terms = nodes.copy(), terms.copy()
    is_split = nodes["feature"] >= 0
    for array, which in ((nodes, is_split), (terms, slice(None))):
        array["feature"][which] = np.searchsorted(features, array["feature"][which])
    n_rows = X.shape[0]
    n_at_a_time = max(1, MAX_DENSE_VALUES // len(features))
    for start in range(0, n_rows, n_at_a_time):
        rows = slice(start, min(start + n_at_a_time, n_rows))
        yield rows, X[rows][:, features].toarray(order="C"), nodes, terms


def _add_predictions(trees, offsets, X, raw, n_threads, divisor=1):
    """Add the values of trees for the rows of `X` to `raw`.

    Parameters
    ----------
    trees : Tree or BoostedTrees
    offsets : int64 array of shape (n_trees + 1,)
        First node of each of the trees to add, and the end.
    X : ndarray or CSR matrix of shape (n_rows, n_features)
    raw : float64 array of shape (n_outputs, n_rows), C order
    n_threads : int
    divisor : int, default=1
        Of what the nodes hold undivided: linear models and vectors.
    """
    # Of sparse rows only what these trees ask for becomes dense.
    added = slice(offsets[0], offsets[-1])
    vectors = None if trees.vectors is None else trees.vectors[added]
    for rows, part, nodes, terms in make_dense(
        X, trees.nodes[added], trees.linear_terms
    ):
        # Kernels want their rows of all outputs in C order.
        part_raw = np.ascontiguousarray(raw[:, rows])
        add_predictions(
            nodes.view(np.uint8),
            offsets - offsets[0],
            trees.bitsets,
            part,
            part_raw,
            n_threads,
            trees.linear_leaves.view(np.uint8),
            terms.view(np.uint8),
            divisor,
            vectors,
            trees.adds_in_float32,
        )
        if not np.may_share_memory(part_raw, raw):
            raw[:, rows] = part_raw


def find_terms(leaves):
    """Return the positions of the terms of linear models, model by model."""
    n_terms = leaves["n_terms"].astype(np.int64)
    ends = np.cumsum(n_terms)
    return np.arange(n_terms.sum()) + np.repeat(
        leaves["start"] - (ends - n_terms), n_terms
    )


def select_models(leaves, terms):
    """Return copies of linear models and of their terms, without those of others."""
    selected = leaves.copy()
    selected["start"] = np.cumsum(leaves["n_terms"]) - leaves["n_terms"]
    return selected, terms[find_terms(leaves)]


class BoostedTrees:
    """An ensemble of trees whose values add up to raw scores.

    Parameters
    ----------
    init_score : float64 array of shape (n_outputs,)
        Raw scores before the first tree.
    is_average : bool
        Whether the raw scores of each number of iterations are those before the first
        tree plus the average of the trees. `nodes` hold values divided by the number of
        iterations, so that they add up here, too; `stats` hold undivided ones.
    has_vector_leaves : bool
        Whether each iteration has one tree for all outputs.
    adds_in_float32 : bool
        Whether raw scores are rounded to float32 after each tree, as those of some
        other libraries are. Our own trees add up in double.

    Attributes
    ----------
    nodes : NODE_DTYPE array of shape (n_nodes,)
        Nodes of all trees, tree by tree. `left` is the position of the left child
        within the tree, the right one follows it; `bitset` is the first word in
        `bitsets`.
    stats : STATS_DTYPE array of shape (n_nodes,)
        What inspection shows of the nodes.
    offsets : int64 array of shape (n_trees + 1,)
        First node of each tree. Tree `t` belongs to output ``t % n_outputs``, or to
        all of them.
    bitsets : uint32 array
        Levels that go left at categorical splits.
    linear_leaves : LINEAR_LEAF_DTYPE array
        Linear models of leaves; `left` of such a leaf is 1 plus the position here, and
        its value that of rows that lack a feature. They are not divided in an average.
        An attribute of the class, empty, where no leaf has one.
    linear_terms : LINEAR_TERM_DTYPE array
        Their coefficients.
    vectors : float64 array of shape (n_nodes, n_outputs)
        Values of the nodes, if leaves hold vectors. They are not divided in an average.
        An attribute of the class, None, where leaves hold numbers.
    """

    linear_leaves = NO_LINEAR_LEAVES
    linear_terms = NO_LINEAR_TERMS
    vectors = None
    # Of the estimator whose model this is; made when a single row is first predicted,
    # and no part of what is kept.
    row_predictor = None

    def __init__(
        self,
        init_score,
        is_average=False,
        has_vector_leaves=False,
        adds_in_float32=False,
    ):
        self.init_score = init_score
        self.is_average = is_average
        self.adds_in_float32 = adds_in_float32
        self.nodes = np.empty(0, dtype=NODE_DTYPE)
        self.stats = np.empty(0, dtype=STATS_DTYPE)
        self.bitsets = np.empty(0, dtype=np.uint32)
        self.offsets = np.zeros(1, dtype=np.int64)
        if has_vector_leaves:
            self.vectors = np.empty((0, len(init_score)))

    @classmethod
    def from_arrays(cls, arrays):
        """Return the model of which `get_arrays` returned these arrays.

        Raises
        ------
        ValueError
            If they are of other types or numbers of dimensions; what nodes point at is
            not checked.
        """
        flags = {name: bool(arrays[name]) for name in FLAGS}
        model = cls(arrays["init_score"], **flags)
        for name, array in arrays.items():
            if name not in FLAGS:
                dtype, n_dimensions = ARRAYS[name]
                if array.dtype != dtype or array.ndim != n_dimensions:
                    raise ValueError(
                        f"{name} of a model must have {n_dimensions} dimensions of "
                        f"{dtype}, got {array.ndim} of {array.dtype}."
                    )
                setattr(model, name, np.ascontiguousarray(array))
        return model

    def get_arrays(self):
        """Return the arrays that the model consists of, by name."""
        return {
            name: np.asarray(value)
            for name, value in vars(self).items()
            if name in ARRAYS or name in FLAGS
        }

    def __getstate__(self):
        arrays = self.get_arrays()
        is_leaf = self.nodes["feature"] < 0
        arrays["stats"] = self._mark_values()
        # Splits, then leaves: what is zero in one of them is one run of zeros.
        order = np.argsort(is_leaf, kind="stable")
        for name in ("nodes", "stats"):
            arrays[name] = arrays[name][order]
        arrays["is_leaf"] = is_leaf
        return {name: pack(array) for name, array in arrays.items()}

    def __setstate__(self, state):
        dtypes = {name: dtype for name, (dtype, _) in ARRAYS.items()}
        dtypes.update(dict.fromkeys((*FLAGS, "is_leaf"), np.dtype(bool)))
        if not state.keys() <= dtypes.keys():
            raise ValueError(f"A model has no {sorted(state.keys() - dtypes.keys())}.")
        arrays = {name: unpack(part, dtypes[name]) for name, part in state.items()}
        place = np.argsort(np.argsort(arrays.pop("is_leaf"), kind="stable"))
        for name in ("nodes", "stats"):
            arrays[name] = arrays[name][place]
        vars(self).update(vars(self.from_arrays(arrays)))
        self.stats = self._mark_values()

    def get_kernel_arrays(self):
        """Return the arrays that kernels of prediction take, by name."""
        return {
            "nodes": self.nodes.view(np.uint8),
            "offsets": self.offsets,
            "bitsets": self.bitsets,
            "linear_leaves": self.linear_leaves.view(np.uint8),
            "linear_terms": self.linear_terms.view(np.uint8),
            "divisor": self.n_iter if self.is_average else 1,
            "vectors": self.vectors,
            "in_float32": self.adds_in_float32,
        }

    def _mark_values(self):
        """Return statistics whose values are zeros where nodes have the same, or back.

        Leaves that are not averaged do.
        """
        stats = self.stats.copy()
        is_leaf = self.nodes["feature"] < 0
        stats["value"] = mark_equal(stats["value"], self.nodes["value"], is_leaf)
        return stats

    def _set_linear_models(self, leaves, terms):
        """Set linear models if there are any: a model without has nothing to store."""
        if len(leaves) > 0:
            self.linear_leaves = leaves
            self.linear_terms = terms

    @property
    def has_linear_leaves(self):
        return len(self.linear_leaves) > 0

    @property
    def has_vector_leaves(self):
        return self.vectors is not None

    @property
    def n_outputs(self):
        return len(self.init_score)

    @property
    def n_trees_per_iteration(self):
        return 1 if self.has_vector_leaves else self.n_outputs

    @property
    def tree_outputs(self):
        """The outputs that each tree of an iteration adds to, a slice each."""
        if self.has_vector_leaves:
            return [slice(0, self.n_outputs)]
        return [slice(output, output + 1) for output in range(self.n_outputs)]

    @property
    def n_trees(self):
        return len(self.offsets) - 1

    @property
    def n_iter(self):
        return self.n_trees // self.n_trees_per_iteration

    def extended(self, trees):
        """Return a model with these trees after its own."""
        model = BoostedTrees(
            self.init_score, self.is_average, adds_in_float32=self.adds_in_float32
        )
        if self.has_vector_leaves:
            model.vectors = np.concatenate(
                [self.vectors, *(tree.vectors for tree in trees)]
            )
        sizes = [len(tree.nodes) for tree in trees]
        model.nodes = _join([self.nodes, *(tree.nodes for tree in trees)])
        model.stats = _join([self.stats, *(tree.stats for tree in trees)])
        n_words = np.cumsum(
            [0, len(self.bitsets)] + [len(tree.bitsets) for tree in trees]
        )
        if n_words[-1] > 0:
            # Splits on categories find their levels among those of all trees.
            first_words = np.repeat(n_words[:-1], [len(self.nodes), *sizes])
            has_levels = model.nodes["bitset"] >= 0
            model.nodes["bitset"][has_levels] += first_words[has_levels].astype(
                np.int32
            )
        linear_leaves, linear_terms = [self.linear_leaves], [self.linear_terms]
        n_models, n_terms = len(self.linear_leaves), len(self.linear_terms)
        first_node = len(self.nodes)
        for tree in trees:
            if tree.has_linear_leaves:
                leaves = first_node + tree.find_linear_leaves()[0]
                model.nodes["left"][leaves] += n_models
                n_models += len(tree.linear_leaves)
                linear_leaves.append(tree.linear_leaves.copy())
                linear_leaves[-1]["start"] += n_terms
                linear_terms.append(tree.linear_terms)
                n_terms += len(tree.linear_terms)
            first_node += len(tree.nodes)
        model.bitsets = np.concatenate(
            [self.bitsets, *(tree.bitsets for tree in trees)]
        )
        model.offsets = np.concatenate(
            [self.offsets, self.offsets[-1] + np.cumsum(sizes, dtype=np.int64)]
        )
        model._set_linear_models(_join(linear_leaves), _join(linear_terms))
        if self.is_average:
            model._divide_values(model.n_iter)
        return model

    def truncated(self, n_iter):
        """Return the model of the first iterations."""
        model = BoostedTrees(
            self.init_score, self.is_average, adds_in_float32=self.adds_in_float32
        )
        model.offsets = self.offsets[: n_iter * self.n_trees_per_iteration + 1].copy()
        n_nodes = model.offsets[-1]
        model.nodes = self.nodes[:n_nodes].copy()
        model.stats = self.stats[:n_nodes].copy()
        if self.has_vector_leaves:
            model.vectors = self.vectors[:n_nodes].copy()
        # What belongs to later trees comes after what belongs to these.
        later = self.nodes[n_nodes:]
        first_words = later["bitset"][later["bitset"] >= 0]
        n_words = first_words.min(initial=len(self.bitsets))
        model.bitsets = self.bitsets[:n_words].copy()
        kept = model.nodes["left"][model.nodes["feature"] < 0]
        linear_leaves = self.linear_leaves[: kept.max(initial=0)].copy()
        n_terms = (linear_leaves["start"] + linear_leaves["n_terms"]).max(initial=0)
        model._set_linear_models(linear_leaves, self.linear_terms[:n_terms].copy())
        if self.is_average:
            model._divide_values(n_iter)
        return model

    def summed(self):
        """Return the model whose trees add up where this one's are averaged."""
        model = self.truncated(self.n_iter)
        model.is_average = False
        model._divide_values(1)
        return model

    def _divide_values(self, divisor):
        is_leaf = self.nodes["feature"] < 0
        self.nodes["value"][is_leaf] = self.stats["value"][is_leaf] / divisor

    def tree(self, iteration, output=0):
        """Return the tree of an iteration that adds to an output, as views.

        But for nodes, their statistics and vectors, they are of the whole model.
        """
        index = iteration
        if not self.has_vector_leaves:
            index = iteration * self.n_outputs + output
        span = slice(self.offsets[index], self.offsets[index + 1])
        return Tree(
            self.nodes[span],
            self.stats[span],
            self.bitsets,
            self.linear_leaves,
            self.linear_terms,
            self.vectors[span] if self.has_vector_leaves else None,
        )

    def make_raw(self, n_rows, offset=None):
        """Return raw scores before the first tree, of shape (n_outputs, n_rows).

        Parameters
        ----------
        n_rows : int
        offset : float64 array of shape (n_outputs, n_rows) or None
            Raw scores that the model is added to.
        """
        raw = np.repeat(self.init_score[:, np.newaxis], n_rows, axis=1)
        if offset is not None:
            raw += offset
        return raw

    def add_iterations(self, X, raw, start, stop, n_threads):
        """Add the values of iterations [start, stop) for the rows of `X` to `raw`.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_rows, n_features)
            float32 or float64, C order.
        raw : float64 array of shape (n_outputs, n_rows), C order
        """
        n_trees = self.n_trees_per_iteration
        offsets = self.offsets[start * n_trees : stop * n_trees + 1]
        divisor = self.n_iter if self.is_average else 1
        _add_predictions(self, offsets, X, raw, n_threads, divisor)

    def predict_raw(self, table, n_iter=None, offset=None, n_threads=1):
        """Return the raw scores of a table.

        Parameters
        ----------
        table : Table
        n_iter : int or None
            Use the first iterations only.
        offset : float64 array of shape (n_outputs, n_rows) or None
            Raw scores that the model is added to.
        n_threads : int

        Returns
        -------
        raw : float64 array of shape (n_outputs, n_rows)
        """
        n_iter = self.n_iter if n_iter is None else n_iter
        if self.is_average and n_iter < self.n_iter:
            return self.truncated(n_iter).predict_raw(table, n_iter, offset, n_threads)
        raw = self.make_raw(table.n_rows, offset)
        if table.is_contiguous or table.n_rows <= ROWS_PER_CHUNK:
            self.add_iterations(table.to_matrix(), raw, 0, n_iter, n_threads)
            return raw
        for start in range(0, table.n_rows, ROWS_PER_CHUNK):
            rows = slice(start, start + ROWS_PER_CHUNK)
            part = np.ascontiguousarray(raw[:, rows])
            self.add_iterations(table.to_matrix(rows), part, 0, n_iter, n_threads)
            raw[:, rows] = part
        return raw

    def predict_stages(self, X, offset=None, n_threads=1):
        """Yield the raw scores after each iteration, as `add_iterations` takes rows."""
        raw = self.make_raw(X.shape[0], offset)
        sums = np.zeros_like(raw) if self.is_average else raw
        for iteration in range(self.n_iter):
            self.add_iterations(X, sums, iteration, iteration + 1, n_threads)
            if self.is_average:
                yield raw + sums * (self.n_iter / (iteration + 1))
            else:
                yield raw

    def find_leaves(self, X, n_threads=1):
        """Return the position in its tree of each row's leaf, (n_rows, n_trees)."""
        leaves = np.empty((X.shape[0], self.n_trees), dtype=np.int32)
        for rows, part, nodes, _ in make_dense(X, self.nodes):
            find_leaves(
                nodes.view(np.uint8),
                self.offsets,
                self.bitsets,
                part,
                leaves[rows],
                n_threads,
            )
        return leaves

    def compute_partial_dependence(self, grid, target_features):
        """Return the averages over the training rows, (n_outputs, n_points)."""
        averages = np.zeros((self.n_outputs, len(grid)))
        divisor = self.n_iter if self.is_average else 1
        for iteration in range(self.n_iter):
            for output in range(self.n_outputs):
                tree = self.tree(iteration, output)
                nodes = tree.nodes
                if self.has_vector_leaves:
                    nodes = nodes.copy()
                    is_leaf = nodes["feature"] < 0
                    nodes["value"][is_leaf] = tree.vectors[is_leaf, output] / divisor
                add_partial_dependence(
                    nodes.view(np.uint8),
                    _weigh_nodes(tree.stats),
                    self.bitsets,
                    grid,
                    target_features,
                    averages[output],
                )
        return averages

    def sum_gains(self, n_features):
        """Return the total gain and the number of the splits on each feature."""
        is_split = self.nodes["feature"] >= 0
        features = self.nodes["feature"][is_split]
        gains = np.bincount(
            features, weights=self.stats["gain"][is_split], minlength=n_features
        )
        return gains, np.bincount(features, minlength=n_features)


def _weigh_nodes(stats):
    """Return the numbers of rows of nodes, or what is in proportion to their hessians.

    Models of other libraries may not know rows.
    """
    if stats["n_samples"][0] > 0:
        return np.ascontiguousarray(stats["n_samples"])
    hessians = stats["sum_hessians"]
    shares = hessians / hessians[0] if hessians[0] > 0 else np.ones(len(stats))
    return np.maximum(np.rint(shares * 2.0**40), 1).astype(np.int64)


def _join(arrays):
    """Concatenate structured arrays of one type.

    As plain bytes: NumPy takes long to find the common type of structures.
    """
    dtype = arrays[0].dtype
    raw = np.dtype((np.void, dtype.itemsize))
    return np.concatenate([array.view(raw) for array in arrays]).view(dtype)
