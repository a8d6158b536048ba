"""Pretrained text encoders: locating and loading checkpoints, tokenization, sentence vectors."""
