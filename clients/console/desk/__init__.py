"""The regulator's desk: pages over the SDK, on loopback, where the regulator's member key is.

Officers sign in by answering a challenge with a key of the regulator's licence; what a page may do follows from
the list that the key is in. ``site.build_desk`` makes the pages over an ``Office``.
"""
