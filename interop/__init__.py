"""What others' tools say of our log: Go's ``golang.org/x/mod/sumdb`` against the real code, both ways."""
