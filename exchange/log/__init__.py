"""The log: what is entered, how it is sequenced, signed and witnessed, and how it is read."""
