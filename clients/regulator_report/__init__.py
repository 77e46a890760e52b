"""What a regulator makes of statistics: tables in words, plots, and the report of a month."""
