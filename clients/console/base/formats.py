"""Times, numbers and money as the visitor's language writes them: what pages and their templates use."""

from clients.formats import (
    day,
    iso,
    length,
    moment,
    money,
    number,
    percent,
    period,
    points,
    written_in,
)

__all__ = [
    "IN_TEMPLATES",
    "day",
    "iso",
    "length",
    "moment",
    "money",
    "number",
    "percent",
    "period",
    "points",
    "written_in",
]

IN_TEMPLATES = {
    "moment": moment,
    "day": day,
    "iso": iso,
    "number": number,
    "points": points,
    "percent": percent,
    "money": money,
    "length": length,
}
