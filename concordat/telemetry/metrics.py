"""Every metric there is. docs/metrics.md is made from this page; nothing else makes a metric."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from concordat.telemetry import labels
from concordat.telemetry.metric import Group, Metric

ALL: list[Metric] = []


def _declared(kind: Any, group: Group, name: str, what: str, **more: Any) -> Metric:
    metric = Metric(kind, f"concordat_{name}", what, group=group, **more)
    ALL.append(metric)
    return metric


_EVERY, _SERVER, _EXCHANGE = Group.EVERY, Group.SERVER, Group.EXCHANGE

# Every process ------------------------------------------------------------------------------------
BUILD = _declared(
    Gauge,
    _EVERY,
    "build_info",
    "Always 1; the labels tell which program and version this is.",
    labels=[labels.PROCESS, labels.VERSION],
)
SCRAPE_FAILURES = _declared(
    Counter,
    _EVERY,
    "scrape_failures_total",
    "Readings for a scrape that failed, mostly because the database is away; the older value is shown.",
)
BATCH_JOBS = _declared(
    Histogram,
    _EVERY,
    "store_batch_jobs",
    "Jobs that were made durable together, by transaction.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
COMMIT_SECONDS = _declared(
    Histogram, _EVERY, "store_commit_seconds", "Seconds that one durable transaction took."
)
STORE_FAILURES = _declared(
    Counter,
    _EVERY,
    "store_failures_total",
    "Jobs that failed in the database; nothing was written.",
)

# The servers of gRPC --------------------------------------------------------------------------------
RPC_REQUESTS = _declared(
    Counter,
    _SERVER,
    "rpc_requests_total",
    "Calls that ended. Items of a batch that were refused are in `concordat_view_refusals_total`.",
    labels=[labels.METHOD, labels.ENDED],
)
RPC_SECONDS = _declared(
    Histogram,
    _SERVER,
    "rpc_duration_seconds",
    "Seconds from arrival to answer of calls that are no streams.",
    labels=[labels.METHOD],
)
RPC_IN_FLIGHT = _declared(
    Gauge, _SERVER, "rpc_in_flight", "Calls that are being answered.", labels=[labels.METHOD]
)
LICENCE_SECONDS = _declared(
    Gauge,
    _SERVER,
    "licence_expiry_seconds",
    "Seconds until a member's licence ends; below zero once it has.",
    labels=[labels.MEMBER],
)

# The exchange ---------------------------------------------------------------------------------------
VIEWS = _declared(
    Counter,
    _EXCHANGE,
    "views_total",
    "Views asked for, one by one or in a stream. The purpose of what does not verify is `other`.",
    labels=[labels.PURPOSE, labels.RESULT],
)
VIEW_REFUSALS = _declared(
    Counter, _EXCHANGE, "view_refusals_total", "Views refused.", labels=[labels.REASON]
)
PROVIDER_OUTCOMES = _declared(
    Counter,
    _EXCHANGE,
    "provider_outcomes_total",
    "What became of each question to a provider.",
    labels=[labels.PROVIDER, labels.OUTCOME],
)
PROVIDER_SECONDS = _declared(
    Histogram,
    _EXCHANGE,
    "provider_duration_seconds",
    "Seconds until a provider's statement was there and verified.",
    labels=[labels.PROVIDER],
)
REVOCATION_SECONDS = _declared(
    Histogram,
    _EXCHANGE,
    "consent_revocation_seconds",
    "Seconds from the arrival of a revocation until it holds; more than 1 breaks a promise.",
)
LOG_ENTRIES = _declared(Gauge, _EXCHANGE, "log_entries", "Entries in the latest signed checkpoint.")
LOG_AGE = _declared(
    Gauge,
    _EXCHANGE,
    "log_checkpoint_age_seconds",
    "Seconds since this process saw a new checkpoint, or started; grows while nothing is entered.",
)
LOG_QUEUE = _declared(
    Gauge, _EXCHANGE, "log_queue_entries", "Entries that wait for their place in the log."
)
LOG_FAILED = _declared(
    Gauge, _EXCHANGE, "log_failed", "1 while the log cannot be written: nothing is released."
)
LOG_LEADS = _declared(
    Gauge, _EXCHANGE, "log_leads", "1 in the process that sequences the log, 0 in one that follows."
)
LOG_QUORUM = _declared(
    Gauge, _EXCHANGE, "log_quorum_witnesses", "Witnesses that must cosign a checkpoint."
)
LOG_UNWITNESSED = _declared(
    Gauge,
    _EXCHANGE,
    "log_unwitnessed_seconds",
    "Seconds since a quorum of witnesses last cosigned all there is; 0 while they do.",
)
LOG_CHECKPOINTS = _declared(
    Counter,
    _EXCHANGE,
    "log_checkpoints_total",
    "Checkpoints that witnesses were asked to cosign.",
    labels=[labels.WITNESSED],
)
LOG_REFUSALS = _declared(
    Counter,
    _EXCHANGE,
    "log_refused_releases_total",
    "Releases refused because the log was not in order.",
)
TASK_FAILURES = _declared(
    Counter,
    _EXCHANGE,
    "housekeeping_failures_total",
    "Rounds of what is done on a timer that failed; each is tried again.",
    labels=[labels.TASK],
)
LISTINGS = _declared(
    Gauge,
    _EXCHANGE,
    "listings",
    "Listings by state, counted at most every five minutes.",
    labels=[labels.STATE],
)
LISTINGS_SHOWN = _declared(
    Gauge, _EXCHANGE, "listings_in_memory", "Listings that this process answers lenders from."
)
EXPIRED_VISIBLE = _declared(
    Gauge,
    _EXCHANGE,
    "listings_expired_visible",
    "Listings shown to a lender in the last ten minutes before they took effect or after their end. Must be 0.",
)

# The others -----------------------------------------------------------------------------------------
ANSWERS = _declared(
    Counter,
    Group.PROVIDER,
    "provider_answers_total",
    "Requests for a score, by what was answered.",
    labels=[labels.ANSWER],
)
CONSENT_REFUSALS = _declared(
    Counter,
    Group.PROVIDER,
    "provider_refusals_total",
    "Requests for a score that this provider refused by its own checks.",
    labels=[labels.REASON],
)
OUTBOX = _declared(
    Gauge,
    Group.PROVIDER,
    "outbox_statements",
    "Filed statements that the exchange has not settled.",
)
EVALUATIONS = _declared(
    Counter, Group.REGISTRAR, "registrar_evaluations_total", "Identities that were evaluated."
)
QUOTA_REFUSALS = _declared(
    Counter,
    Group.REGISTRAR,
    "registrar_quota_refusals_total",
    "Calls refused because a member's quota of the day is spent.",
)
COSIGNED = _declared(
    Gauge,
    Group.WITNESS,
    "witness_cosigned_entries",
    "Entries in the latest checkpoint cosigned since the start.",
    labels=[labels.LOG],
)
WITNESS_REFUSALS = _declared(
    Counter,
    Group.WITNESS,
    "witness_refusals_total",
    "Checkpoints not cosigned. A 409 is normal after a restart.",
    labels=[labels.STATUS],
)
CONFLICTS = _declared(
    Counter,
    Group.WITNESS,
    "witness_conflicts_total",
    "Pairs of checkpoints that do not go together, kept as evidence. Must be 0.",
)
DEPOSITS = _declared(
    Counter, Group.WITNESS, "witness_custody_deposits_total", "Deferred notices taken into custody."
)
