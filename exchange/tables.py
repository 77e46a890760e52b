"""Every table of the exchange, imported in one place so that migrations and tests see them all."""

from exchange.consents.table import consent, consent_event, subject_binding
from exchange.drift.table import drift_level, outcome_count, score_count
from exchange.lenders.change_table import lender_change, lender_cursor
from exchange.lenders.outcome_table import outcome_duty, outcome_event
from exchange.lenders.periodic_table import periodic_consent
from exchange.limits.limit_table import lender_limit
from exchange.limits.use_table import lender_use
from exchange.listings.notices.mail_table import notice_mail
from exchange.listings.table import (
    court_sync,
    filing_seen,
    listing,
    listing_debt,
    listing_revision,
    listing_source,
    listing_step,
    listing_told,
    retraction,
    sealed_attachment,
)
from exchange.log.table import log_opening, log_queue, log_state, log_tile
from exchange.members.calibration_table import calibration
from exchange.schema import clock_mark, member_statement, metadata
from exchange.subjects.bindings_table import binding_cursor
from exchange.subjects.contact_table import subject_contact
from exchange.subjects.flag_table import subject_flag
from exchange.subjects.inbox_table import inbox_message
from exchange.subjects.own_look_table import own_look
from exchange.subjects.report_table import erasure_done, report_given
from exchange.supervision.bounds import regulator_day
from exchange.supervision.cases.table import case_budget, case_file, case_look_up, case_notice
from exchange.supervision.orders.table import correction_order, oversight_told
from exchange.supervision.statistics.table import statistics_count, statistics_told
from exchange.vault.table import keyring_mark, subject_key
from exchange.views.table import access_entry, request_seen

__all__ = [
    "access_entry",
    "binding_cursor",
    "calibration",
    "case_budget",
    "case_file",
    "case_look_up",
    "case_notice",
    "clock_mark",
    "consent",
    "consent_event",
    "correction_order",
    "court_sync",
    "drift_level",
    "erasure_done",
    "filing_seen",
    "inbox_message",
    "keyring_mark",
    "lender_change",
    "lender_cursor",
    "lender_limit",
    "lender_use",
    "listing",
    "listing_debt",
    "listing_revision",
    "listing_source",
    "listing_step",
    "listing_told",
    "log_opening",
    "log_queue",
    "log_state",
    "log_tile",
    "member_statement",
    "metadata",
    "notice_mail",
    "outcome_count",
    "outcome_duty",
    "outcome_event",
    "oversight_told",
    "own_look",
    "periodic_consent",
    "regulator_day",
    "report_given",
    "request_seen",
    "retraction",
    "score_count",
    "sealed_attachment",
    "statistics_count",
    "statistics_told",
    "subject_binding",
    "subject_contact",
    "subject_flag",
    "subject_key",
]
