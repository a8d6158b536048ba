"""Steps of the generation pipeline."""
