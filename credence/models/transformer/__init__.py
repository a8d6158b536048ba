"""The Bayesian expectation transformer: rows as tokens, layers, one vector a row, and a last layer that knows doubt."""
