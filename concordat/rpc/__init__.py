"""gRPC as the federation uses it: TLS, admission, deadlines, errors, logs."""
