"""Files that are there whole or not at all, whatever dies when: ``concordat.durable``, for the clients."""

from concordat.durable import flush, put_in_place, write_durably

__all__ = ["flush", "put_in_place", "write_durably"]
