"""What an operator sees of a running process: metrics and traces, with nothing of any person in either."""
