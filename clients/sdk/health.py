"""Whether a port serves, as gRPC's health protocol has it."""

from contextlib import closing

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from concordat.rpc.channels import open_channel


def serves(
    address: str, credentials: grpc.ChannelCredentials, server_name: str, seconds: float
) -> bool:
    """Ask a port once, on a connection of its own, and tell whether it says that it serves.

    Whoever answers must have the certificate of ``server_name``. Raises ``grpc.RpcError`` where nobody answers so
    within ``seconds``.
    """
    with closing(open_channel(address, credentials, server_name)) as channel:
        told = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=seconds
        )
    return bool(told.status == health_pb2.HealthCheckResponse.SERVING)
