"""The commands of ``concordat-provider``, one file each."""
