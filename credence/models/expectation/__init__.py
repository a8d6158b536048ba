"""The parts of the Bayesian Expectation Transformer: evidence, orders, budget, positions, code length."""
