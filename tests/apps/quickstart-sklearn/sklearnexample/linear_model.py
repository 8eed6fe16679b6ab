# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for scikit-learn's LogisticRegression, which is not among what the tests need: its parameters, attributes
and calls, as far as the app uses them."""

import numpy as np


class LogisticRegression:
    def __init__(self, penalty="l2", max_iter=100, warm_start=False, solver="lbfgs"):
        self.penalty, self.max_iter, self.warm_start, self.solver = penalty, max_iter, warm_start, solver

    def fit(self, x, y):
        for dummy in range(self.max_iter):
            error = self._probabilities(x) - (y[:, None] == self.classes_)
            shrinking = 1e-3 * self.coef_ if self.penalty == "l2" else 0.0
            self.coef_ = self.coef_ - 0.5 * (error.T @ x / len(x) + shrinking)
            self.intercept_ = self.intercept_ - 0.5 * error.mean(axis=0)

    def predict_proba(self, x):
        return self._probabilities(x)

    def score(self, x, y):
        return float((self.classes_[self._probabilities(x).argmax(axis=1)] == y).mean())

    def _probabilities(self, x):
        scores = x @ self.coef_.T + self.intercept_
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)


def log_loss(y, probabilities):
    return float(-np.log(probabilities[np.arange(len(y)), y] + 1e-12).mean())
