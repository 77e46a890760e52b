"""The `concordat` command: one file a group of commands."""
