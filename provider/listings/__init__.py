"""Filing debts and mirroring registers: the furnisher's and the court's side of the listings.

A command makes orders (``orders``) and lays them in a folder (``spool``). Whoever holds the database takes
them in (``intake``): decides, signs, and makes durable in one transaction. A sender (``sender``) delivers
what is due in batches and puts down the answers (``outcome``); ``courier`` is the thread that does both in a
serving node.
"""
