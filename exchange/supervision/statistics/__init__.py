"""Statistics: tables of a day or a month that are computed once, with small cells suppressed."""
