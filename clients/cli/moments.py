"""Times as people read them."""

from google.protobuf.timestamp_pb2 import Timestamp

from concordat.clock import from_timestamp


def moment(timestamp: Timestamp) -> str:
    """Return a time to the second, in UTC."""
    return from_timestamp(timestamp).strftime("%Y-%m-%d %H:%M:%S UTC")
