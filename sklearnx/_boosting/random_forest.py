"""Random forests: rounds that know nothing of each other, averaged."""

import numpy as np

from sklearnx._boosting.booster import Booster


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
        self.scores_to_fit = self.model.make_raw(len(self.train), self.train.offset)
        self.sums = np.zeros_like(self.scores_to_fit)
        self.raw = self.scores_to_fit.copy()
        if self.model.n_trees > 0:
            self.model.summed().add_iterations(
                self.train.to_matrix(), self.sums, 0, self.model.n_iter, self.n_threads
            )
            self._average(self.model.n_iter)

    def boost(self, iteration):
        self._fit_round(iteration)
        self._average(iteration + 1)

    def _average(self, n_iter):
        np.divide(self.sums, n_iter, out=self.raw)
        self.raw += self.scores_to_fit

    def _shrink(self, values):
        return values

    def update_scores(self, matrix, raw, offset):
        n_iter = self.model.n_iter + len(self.trees) // len(raw)
        targets = self.model.make_raw(raw.shape[1], offset)
        super().update_scores(matrix, targets, offset)
        # The running mean of what single trees predict.
        raw += (targets - raw) / n_iter
