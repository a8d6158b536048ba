"""Parts of the Bayesian Expectation Transformer: evidence, permutations, compute budget, positions, code length."""
