"""Judging models: the gate, explanations, hyperparameter search, code length."""
