"""Random forests: rounds that know nothing of each other, averaged."""

import numpy as np

from sklearnx._boosting.booster import Booster, Scores


class ForestBooster(Booster):
    """Averages trees, all fitted to the gradients at the first scores.

    A random forest (Breiman, 2001, Random Forests, Machine Learning 45, 5-32) of
    gradient trees: what sets the trees apart are the rows and columns drawn, and a leaf
    has the value that is best for its rows by one Newton step from the first scores
    (with the squared error, their mean). Values are not shrunk.

    The sums of the trees' undivided values are kept; the scores of the model are the
    first ones plus these sums over the number of rounds.
    """

    def _init_scores(self):
        super()._init_scores()
        self.factor = 1.0
        self.scores_to_fit = self.scores.base

    def make_scores(self, rows, matrix=None):
        base = self.model.make_raw(len(rows), rows.offset)
        scores = Scores(np.zeros_like(base), base)
        if self.model.n_trees > 0:
            self.model.summed().add_iterations(
                rows.to_matrix() if matrix is None else matrix,
                scores.sums,
                0,
                self.model.n_iter,
                self.n_threads,
            )
            _average(scores, self.model.n_iter)
        return scores

    def _boost(self, iteration):
        self._fit_round(iteration)
        _average(self.scores, iteration + 1)

    def update_scores(self, matrix, scores):
        super().update_scores(matrix, scores)
        n_iter = len(self.trees) // len(self.tree_outputs)
        _average(scores, self.model.n_iter + n_iter)


def _average(scores, n_iter):
    np.divide(scores.sums, n_iter, out=scores.raw)
    scores.raw += scores.base
