"""Keys, envelopes and Merkle trees: pure functions with no I/O, no gRPC, no SQL, and nothing else of ours."""
