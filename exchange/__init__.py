"""The exchange: brokers signed, consented requests and answers with one view."""
