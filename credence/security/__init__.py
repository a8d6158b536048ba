"""Signing of predictors, detection of personal data, keyed hashing and the policy of the prediction log."""
