"""Evaluation of models: the gate, explanations, hyperparameter search, code length."""
