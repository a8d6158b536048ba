"""Rows that language models write: balanced, checked by something other than their author, and never paid for twice."""
