# ruff: noqa: RUF001 - Chinese text uses full-width punctuation
"""The words of the consent notice, by language. Changing a text changes every later notice's hash."""

from dataclasses import dataclass

from concordat import v1


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's words; ``lines`` are filled in with the consent's terms."""

    title: str
    lines: tuple[str, ...]
    rights: str
    purposes: dict[int, str]
    categories: dict[int, str]
    no_score: str  # instead of how much of the score is told
    nobody_asked: str  # instead of the providers
    listings_shared: str  # a line of its own where the consent covers listings
    flags_shared: str  # and where it covers flags
    full: str
    band: str
    threshold: str
    once: str
    periodic: str
    periods: dict[int, str]
    separator: str


_P, _C, _T = v1.Purpose, v1.DataCategory, v1.Period

EN = Texts(
    title="Consent to disclose credit information",
    lines=(
        "Who receives it: {recipient}, and nobody else.",
        "What for: {purpose}. No other use is allowed.",
        "What is disclosed: {categories}.",
        "How much of it: {disclosure}.",
        "Who is asked: {providers}.",
        "How often: {frequency}.",
        "When: from {valid_from} until {valid_until}.",
        "How long it may be kept: {data_life_days} days after each disclosure, and no longer.",
        "Federation: {federation}. Consent: {consent_id}.",
    ),
    rights="You may pause or revoke this consent at any time, at no cost and without giving a "
    "reason. You see every use of it. Refusing or revoking it never lowers a score.",
    purposes={
        _P.PURPOSE_CREDIT_APPLICATION: "to decide on credit that you applied for",
        _P.PURPOSE_GUARANTOR_CHECK: "to check you as a guarantor, as you offered",
        _P.PURPOSE_ACCOUNT_REVIEW: "to review an account that you have",
        _P.PURPOSE_DEPOSIT_WAIVER: "to decide whether you need to pay a deposit",
        _P.PURPOSE_FRAUD_FLAGS: "to see whether you set a freeze or a fraud alert",
    },
    categories={
        _C.DATA_CATEGORY_SCORE: "credit scores",
        _C.DATA_CATEGORY_LISTINGS: "adverse listings in force",
        _C.DATA_CATEGORY_FLAGS: "freeze and fraud alert",
    },
    no_score="no score is made or disclosed",
    nobody_asked="the exchange alone; no provider is asked",
    listings_shared="Adverse listings about you ARE shared: {recipient} sees every debt in default and every "
    "judgment that is in force against you, with its size and dates, whether it is settled or disputed, and "
    "your own words about it. What is only announced, withdrawn or ended is not shared.",
    flags_shared="Your freeze and your fraud alert ARE shared: {recipient} sees whether you have put one up.",
    full="the unified score in full, with what each provider stated",
    band="only the band of the unified score (A to E)",
    threshold="only whether the unified score reaches {threshold} points: yes or no",
    once="once",
    periodic="at most {uses} times in any {period}, {max_uses} times in all",
    periods={
        _T.PERIOD_DAY: "24 hours",
        _T.PERIOD_WEEK: "7 days",
        _T.PERIOD_MONTH: "30 days",
        _T.PERIOD_QUARTER: "90 days",
        _T.PERIOD_YEAR: "365 days",
    },
    separator=", ",
)

ZH_HANS = Texts(
    title="信用信息披露同意书",
    lines=(
        "接收方：{recipient}，不得提供给任何其他方。",
        "用途：{purpose}。不得用于其他用途。",
        "披露内容：{categories}。",
        "披露程度：{disclosure}。",
        "查询的信息提供方：{providers}。",
        "次数：{frequency}。",
        "有效期：自 {valid_from} 至 {valid_until}。",
        "保存期限：每次披露后 {data_life_days} 天，到期必须删除。",
        "联盟：{federation}。同意书编号：{consent_id}。",
    ),
    rights="您可以随时暂停或撤回本同意，无需费用，也无需说明理由。每一次使用您都能看到。"
    "拒绝或撤回同意不会降低任何评分。",
    purposes={
        _P.PURPOSE_CREDIT_APPLICATION: "审批您申请的信贷",
        _P.PURPOSE_GUARANTOR_CHECK: "审查您自愿提供的担保",
        _P.PURPOSE_ACCOUNT_REVIEW: "复核您已有的账户",
        _P.PURPOSE_DEPOSIT_WAIVER: "决定您是否可以免交押金",
        _P.PURPOSE_FRAUD_FLAGS: "查看您是否设置了冻结或欺诈警示",
    },
    categories={
        _C.DATA_CATEGORY_SCORE: "信用评分",
        _C.DATA_CATEGORY_LISTINGS: "有效的不良记录",
        _C.DATA_CATEGORY_FLAGS: "冻结和欺诈警示",
    },
    no_score="不计算也不披露任何评分",
    nobody_asked="仅查询交易所，不查询任何信息提供方",
    listings_shared="您的不良记录将被披露：{recipient} 会看到针对您的每一笔有效的违约债务和判决，包括金额档次、"
    "日期、是否已结清或有异议，以及您本人的声明。仅处于告知期、已撤回或已到期的记录不会披露。",
    flags_shared="您的冻结和欺诈警示将被披露：{recipient} 会看到您是否设置了冻结或欺诈警示。",
    full="完整的统一评分，以及各信息提供方给出的结果",
    band="仅统一评分的等级（A 至 E）",
    threshold="仅统一评分是否达到 {threshold} 分：是或否",
    once="一次",
    periodic="任意 {period}内最多 {uses} 次，总共最多 {max_uses} 次",
    periods={
        _T.PERIOD_DAY: "24 小时",
        _T.PERIOD_WEEK: "7 天",
        _T.PERIOD_MONTH: "30 天",
        _T.PERIOD_QUARTER: "90 天",
        _T.PERIOD_YEAR: "365 天",
    },
    separator="、",
)

CATALOG = {"en": EN, "zh-Hans": ZH_HANS}
