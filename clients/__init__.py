"""Everyone else's side: client library, command line, federation set-up, sandbox."""
