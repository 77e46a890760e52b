"""Looking a deployment over from outside: what is well, what will not be for long, and what to do about it.

``rules`` and ``rules_log`` judge plain values; a ``probe_*`` module finds one kind of values out; ``examine`` puts
them together. Nothing is written, nothing is asked that the log would have to record.
"""
