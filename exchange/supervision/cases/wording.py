# ruff: noqa: RUF001 - Chinese text uses full-width punctuation
"""The words in which a subject is told of a case look-up, in its language: pure, from closed fields alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from concordat import v1
from concordat.clock import from_timestamp
from concordat.rpc.errors import CATALOG, name_of
from concordat.v1 import CaseScope, Reason
from exchange.listings.notices.texts import language_of

_S, _R = CaseScope, Reason


@dataclass(frozen=True, slots=True)
class Words:
    """What is said in one language; ``reasons`` are the public catalogue's where there are none."""

    looked: str
    refused: str
    facts: str
    sought: str
    seen: str
    unread: str
    rest: str
    moment: str
    scopes: Mapping[int, str]
    reasons: Mapping[int, str]
    other_reason: str


EN = Words(
    looked="{who}, a regulator, looked at your records in a case on {when}.",
    refused="{who}, a regulator, tried to look at your records on {when} and was refused: {why}",
    facts="Legal article: {article}\nCase reference: {reference}",
    sought="Sought: {what}",
    seen="Looked at: {what}",
    unread="none that could be read",
    rest="""\
You were to be told by {told}.

It is entry {index} of the public log, which was sealed until now.
The signed notice that opens it came with this message; `concordat wallet notices` checks it.
It is no input of any score. You may ask the regulator for the reasons, and complain to its supervisor.""",
    moment="{at:%d %B %Y, %H:%M} UTC",
    scopes={
        _S.CASE_SCOPE_LISTINGS: "your listings, with their history, disputes and rulings",
        _S.CASE_SCOPE_ACCESSES: "who asked for your data, when and for what",
        _S.CASE_SCOPE_CONSENTS: "your consents, and what became of them",
    },
    reasons={reason: spec.message for reason, spec in CATALOG.items()},
    other_reason="{name}",
)

ZH_HANS = Words(
    looked="监管机构 {who} 于 {when}在一宗案件中查看了您的记录。",
    refused="监管机构 {who} 曾于 {when}试图查看您的记录，已被拒绝：{why}",
    facts="法律依据：{article}\n案件编号：{reference}",
    sought="试图查看：{what}",
    seen="查看内容：{what}",
    unread="无法读取",
    rest="""\
最迟应告知您的时间：{told}。

这是公开日志中编号为 {index} 的记录，此前一直处于密封状态。
开启该记录的签名通知随本消息附上；可用 `concordat wallet notices` 核验。
此事不影响任何评分。您可以向该监管机构询问理由，也可以向其上级监督机关投诉。""",
    moment="{at.year}年{at.month}月{at.day}日 {at:%H:%M}（协调世界时）",
    scopes={
        _S.CASE_SCOPE_LISTINGS: "您的不良信息及其经过、异议和裁定",
        _S.CASE_SCOPE_ACCESSES: "谁在何时、为何目的查询过您的数据",
        _S.CASE_SCOPE_CONSENTS: "您的各项同意及其后续变化",
    },
    reasons={
        _R.REASON_CASE_NOT_APPROVED: "没有该机构执照所列两名审批人的签名。",
        _R.REASON_CASE_ENDED: "案件已经结束，或申请已经过期。",
        _R.REASON_CASE_OTHER_SUBJECT: "该案件涉及的是另一个人。",
        _R.REASON_CASE_TOO_WIDE: "案件期限过长、告知过迟，或超出其范围。",
        _R.REASON_CASE_BUDGET_SPENT: "当月可查询的次数已经用完。",
        _R.REASON_QUOTA_EXCEEDED: "该机构当日被拒绝的查询已达上限。",
        _R.REASON_NOTICE_NOT_HELD: "为您保管通知的见证方不足。",
    },
    other_reason="请求不符合要求（{name}）。",
)
_LANGUAGES = {"en": EN, "zh-Hans": ZH_HANS}


def text_of(notice: v1.CaseNotice, language: str) -> str:
    """Return the message; ``language`` is any BCP 47 tag, English where there are no words in it."""
    words = _LANGUAGES[language_of(language)]
    what = words.sought if notice.refusal else words.seen
    lines = [
        _first(notice, words),
        "",
        words.facts.format(
            article=notice.legal_article or words.unread,
            reference=notice.case_reference or words.unread,
        ),
        *(what.format(what=words.scopes[each]) for each in notice.scopes if each in words.scopes),
        words.rest.format(told=_moment(notice.notice_at, words), index=notice.receipt.index),
    ]
    return "\n".join(lines)


def _first(notice: v1.CaseNotice, words: Words) -> str:
    when = _moment(notice.looked_at, words)
    if not notice.refusal:
        return words.looked.format(who=notice.regulator, when=when)
    why = words.reasons.get(notice.refusal)
    if why is None:
        why = words.other_reason.format(name=name_of(notice.refusal))
    return words.refused.format(who=notice.regulator, when=when, why=why)


def _moment(stamp: Timestamp, words: Words) -> str:
    return words.moment.format(at=from_timestamp(stamp)).lstrip("0")
