"""A predictor behind HTTP, with BentoML: what a request may hold, who may ask, how a bento is built and started."""
