"""Channels: message limits, keepalive, and retries only of what is safe to repeat."""

import json

import grpc
import grpc.aio

from concordat.rpc.tracing import traced, traced_aio

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_METADATA_BYTES = 8 * 1024

# Each of these is idempotent: by request id, by statement digest, or because it only reads.
_SAFE_TO_RETRY = (
    {"service": "concordat.v1.ViewService", "method": "RequestView"},
    {"service": "concordat.v1.ConsentService"},
    {"service": "concordat.v1.ConsentNoticeService"},
    {"service": "concordat.v1.LogService"},
    {"service": "concordat.v1.FurnisherService"},
    {"service": "concordat.v1.ListingService", "method": "CheckListings"},
    {"service": "concordat.v1.ListingService", "method": "ListRetractions"},
    {"service": "concordat.v1.ListingService", "method": "AcknowledgeRetraction"},
    {"service": "concordat.v1.LenderService", "method": "ReportOutcomes"},
    {"service": "concordat.v1.LenderService", "method": "ListOutcomesDue"},
    {"service": "concordat.v1.ReviewService"},
    {"service": "concordat.v1.SubjectService"},
    {"service": "concordat.v1.SupervisionService"},
    {"service": "concordat.v1.OrderService"},
    {"service": "concordat.v1.CaseService"},
    {"service": "concordat.v1.MemberService", "method": "ListMembers"},
    {"service": "concordat.v1.MemberService", "method": "SubmitLicence"},
    {"service": "concordat.v1.MemberService", "method": "SubmitLicenceStatus"},
    {"service": "concordat.v1.MemberService", "method": "SubmitCalibration"},
    {"service": "concordat.v1.RegistrarService", "method": "EvaluateIdentities"},
)

_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": list(_SAFE_TO_RETRY),
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)

_COMMON: list[tuple[str, int | str]] = [
    ("grpc.max_receive_message_length", 4 * MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # In spite of its name, how long an attempt may take, TLS handshake and all.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]
RETRYING: list[tuple[str, int | str]] = [*_COMMON, ("grpc.service_config", _SERVICE_CONFIG)]
ONE_ATTEMPT: list[tuple[str, int | str]] = [*_COMMON, ("grpc.enable_retries", 0)]


def open_channel(
    endpoint: str, credentials: grpc.ChannelCredentials, server_name: str
) -> grpc.Channel:
    """Open a synchronous channel that repeats safe calls when the peer is unavailable.

    The peer's certificate must carry ``server_name`` (``Anchors.server_name``), wherever it runs.
    """
    options = [*RETRYING, *_named(server_name)]
    return traced(grpc.secure_channel(endpoint, credentials, options=options))


def open_aio_channel(
    endpoint: str,
    credentials: grpc.ChannelCredentials,
    server_name: str,
    *,
    retries: bool = True,
) -> grpc.aio.Channel:
    """Open an asyncio channel; without ``retries`` every call is made once."""
    options = RETRYING if retries else ONE_ATTEMPT
    return grpc.aio.secure_channel(
        endpoint,
        credentials,
        options=[*options, *_named(server_name)],
        interceptors=traced_aio() if retries else None,
    )


def _named(server_name: str) -> list[tuple[str, int | str]]:
    return [("grpc.ssl_target_name_override", server_name), ("grpc.default_authority", server_name)]
