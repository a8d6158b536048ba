"""How artifacts are stored; each with a hash of its content, so that equal content is a cache hit."""
