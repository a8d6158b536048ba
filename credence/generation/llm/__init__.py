"""What every language model gets for free: requests and replies, limits, retries, a breaker, a budget."""
