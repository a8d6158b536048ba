"""Serve a predictor over HTTP with BentoML: request models, API, rollout of new versions, packaging."""
