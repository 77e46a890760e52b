"""A subject's report for people: its sections in plain words, and the signed page that prints well."""
