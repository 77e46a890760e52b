# ruff: noqa: RUF001 - Chinese text uses full-width punctuation
"""The notices in simplified Chinese. Changing a text changes the hash of every later notice."""

from concordat.v1 import (
    DisputeGround,
    ListingBasis,
    ListingKind,
    ListingState,
    OrderedAction,
    WithdrawalCode,
)
from exchange.listings.notices.news import News
from exchange.listings.notices.wording import Wording

_K, _B, _S = ListingKind, ListingBasis, ListingState
_G, _W, _O = DisputeGround, WithdrawalCode, OrderedAction

NOTICE = """\
通知：有人拟将您的{kind}列为不良信息

本通知在列入生效之前送达，以便您付款或提出异议。

一、申报内容
申报方：{source}
申报日期：{filed_at}
事项：{kind}，来源为{basis}
金额：{amount}
{since}：{delinquent_since}
申报方所持证据的 SHA-256：
{evidence}
编号：{listing}

二、何时发生什么
目前贷款机构看不到该信息。
最早在本通知送达您之后 {notice}生效。\
送达是指您的钱包取得本通知，或您所留邮箱的邮件服务器接收本通知，以先发生者为准。
生效后，经您同意的贷款机构可以看到该信息，最迟至{expires_at}。{prolonged}

三、如何付款
请您自行联系{source}。本交换平台不收款，也绝不会要求您付款。请保留收据。付清后请要求申报方撤回；\
如果届时已经生效，您可以自行将其标注为已结清：
  {settle}

四、如何提出异议
  {contest}
免费，无需律师。异议期间不生效。由独立的评审方（绝不是申报方）在 {dispute_limit}内作出附理由的裁定。

五、您的权利
- 您可以附上自己的说明（最多 200 字），凡显示该信息之处均一并显示：
  {words}
- 生效之后，您仍可随时免费提出异议：
  {dispute}
- 您可以在裁定后 {appeal_within}内申诉，由原裁定方以外的机构处理：
  {appeal}
- 您可以查看关于您的所有信息（不论处于何种状态），以及告知过哪些机构：
  {listings}
- 您可以向监管机构投诉：{regulator}。
提出异议、申诉或查看自己的记录，绝不会降低任何评分。

联盟：{federation}
"""

ZH_HANS = Wording(
    day="{year}年{month}月{day}日",
    moment="{day} {time}（协调世界时）",
    months=("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"),
    years=("{n} 年", "{n} 年"),
    spanned_months=("{n} 个月", "{n} 个月"),
    days=("{n} 天", "{n} 天"),
    seconds=("{n} 秒", "{n} 秒"),
    space="零 ",
    comma="、",
    more="等共 {n} 家",
    kinds={
        _K.LISTING_KIND_DEBT: "逾期债务",
        _K.LISTING_KIND_JUDGMENT: "金钱给付判决",
    },
    bases={
        _B.LISTING_BASIS_LOAN: "借款合同",
        _B.LISTING_BASIS_REVOLVING_CREDIT: "循环信贷（例如信用卡）",
        _B.LISTING_BASIS_SERVICE_CONTRACT: "先提供后付款的商品或服务",
        _B.LISTING_BASIS_GUARANTEE: "已被要求履行的担保",
        _B.LISTING_BASIS_JUDGMENT: "公开的判决登记",
    },
    since={
        _K.LISTING_KIND_DEBT: "逾期起始日",
        _K.LISTING_KIND_JUDGMENT: "判决登记日",
    },
    prolonged={
        _K.LISTING_KIND_DEBT: "该日期不因重新申报、转让或部分付款而改变。",
        _K.LISTING_KIND_JUDGMENT: "该日期只能由法院自己的命令、并在当地法律允许时改变。",
    },
    grounds={
        _G.DISPUTE_GROUND_UNSPECIFIED: "未说明",
        _G.DISPUTE_GROUND_NOT_MINE: "不是本人的债务",
        _G.DISPUTE_GROUND_PAID: "已付款",
        _G.DISPUTE_GROUND_AMOUNT: "金额有误",
        _G.DISPUTE_GROUND_DATE: "日期有误",
        _G.DISPUTE_GROUND_CLAIM_CONTESTED: "债权本身有争议",
        _G.DISPUTE_GROUND_INELIGIBLE: "不得列入",
        _G.DISPUTE_GROUND_DUPLICATE: "同一债务重复列入",
        _G.DISPUTE_GROUND_FRAUD: "欺诈，例如身份被盗用",
        _G.DISPUTE_GROUND_SETTLEMENT_DENIED: "结清被否认",
    },
    withdrawals={
        _W.WITHDRAWAL_CODE_UNSPECIFIED: "未说明",
        _W.WITHDRAWAL_CODE_FILED_IN_ERROR: "申报有误",
        _W.WITHDRAWAL_CODE_PAID: "债务已付清",
        _W.WITHDRAWAL_CODE_SOLD: "债务已转让",
        _W.WITHDRAWAL_CODE_WAIVED: "债务已免除，或已过时效",
        _W.WITHDRAWAL_CODE_GONE_FROM_REGISTER: "公开登记已不再显示",
        _W.WITHDRAWAL_CODE_STRUCK_OUT: "被评审方撤销",
    },
    orders={
        _O.ORDERED_ACTION_UNSPECIFIED: "处理",
        _O.ORDERED_ACTION_CORRECT: "更正",
        _O.ORDERED_ACTION_WITHDRAW: "撤回",
    },
    notice=NOTICE,
    news={
        News.JOINED: "又有一方确认关于您的一条不良信息：{actor}。",
        News.RECONFIRMED: "{actor}确认关于您的一条不良信息所列事实仍然成立。",
        News.NOTICE_SERVED: "关于您的一条不良信息的通知已送达您，生效前的期限开始计算。",
        News.TOOK_EFFECT: "关于您的一条不良信息已经生效。",
        News.SETTLED: "关于您的一条不良信息已标注为已结清，标注方：{actor}。",
        News.WITHDRAWN: "关于您的一条不良信息已被{actor}撤回。原因：{withdrawal}。",
        News.SOURCE_LEFT: "{actor}不再确认关于您的一条不良信息；其他来源仍然确认。",
        News.CORRECTED: "{actor}更正了关于您的一条不良信息，更正对您有利。",
        News.PROLONGED: "根据法院自己的命令，关于您的一条不良信息延长保留。",
        News.DISPUTED: "您对一条不良信息的异议已被受理。理由：{ground}。",
        News.REVIEW_OPENED: "{actor}对关于您的一条不良信息启动了复核。理由：{ground}。",
        News.EXTENDED: "{actor}需要更多时间才能就关于您的一条不良信息作出决定。",
        News.WORDS_CHANGED: "您对一条不良信息的说明已按您的要求更改。",
        News.UPHELD: "裁定：您的异议成立，该信息已撤回。",
        News.RECTIFIED: "裁定：该信息经更正后保留。",
        News.REJECTED: "裁定：该信息维持不变。",
        News.UNVERIFIABLE: "裁定：事实无法核实。",
        News.TIMED_OUT: "关于一条不良信息的异议未能在期限内作出决定。",
        News.REPAIRED: "关于您的一条已结清的不良信息已提前终止。",
        News.EXPIRED: "关于您的一条不良信息已到期。",
        News.RECALLED: "正在收回曾告知贷款机构的关于您的一条不良信息。",
        News.ORDERED: "{actor}已责令{ordered}在{order_due}之前{order}关于您的一条不良信息。依据：{article}。",
        News.ORDER_OVERDUE: "{ordered}被责令在{order_due}之前{order}关于您的一条不良信息，但逾期未办理。"
        "监管机构已知悉。",
        News.REVIEW_ENDED: "监管机构对关于您的一条不良信息所作的责令已经履行，复核结束。",
    },
    subject="您",
    reasons="评审方{actor}说明理由如下：",
    listing="该信息：{kind}，来源为{basis}；{amount}；{since}：{delinquent_since}；确认方：{sources}。\n"
    "编号：{listing}",
    stands={
        _S.LISTING_STATE_DRAFT: "贷款机构看不到该信息。最早在通知送达您之后 {notice}生效。",
        _S.LISTING_STATE_NOTICED: "贷款机构看不到该信息。最早于{effective_from}生效。",
        _S.LISTING_STATE_CONTESTED: "异议期间，贷款机构看不到该信息。应于{decide_by}之前作出决定。",
        _S.LISTING_STATE_EFFECTIVE: "该信息有效。经您同意的贷款机构可以看到，最迟至{expires_at}。",
        _S.LISTING_STATE_SETTLED: "该信息有效，并标注为已结清。经您同意的贷款机构可以看到，"
        "最迟至{expires_at}。",
        _S.LISTING_STATE_UNDER_REVIEW: "正在复核，应于{decide_by}之前作出决定。{shown}",
        _S.LISTING_STATE_APPEAL: "正在申诉，应于{decide_by}之前作出决定。{shown}",
        _S.LISTING_STATE_WITHDRAWN: "已终止，不再向任何人显示。",
        _S.LISTING_STATE_REPAIRED: "已终止，不再向任何人显示。",
        _S.LISTING_STATE_EXPIRED: "已终止，不再向任何人显示。",
    },
    hidden="在此期间，贷款机构看不到该信息。",
    marked="在此期间，经您同意的贷款机构看到该信息时会看到有异议的标注。",
    recalled="过去六个月内得知该信息的贷款机构（如有）已被告知此事，并且必须确认。",
    steps={
        "contest": "提出异议（免费）：{contest}",
        "dispute": "提出异议（免费）：{dispute}",
        "appeal": "对裁定提出申诉（免费），截止{appeal_until}：{appeal}",
        "settle": "凭收据标注为已结清：{settle}",
        "words": "附上或更改您自己的说明：{words}",
        "listings": "查看关于该信息的全部内容：{listings}",
    },
    complain="您可以向监管机构投诉：{regulator}。",
    mail_subject="{federation}给您的通知",
    alert="""\
{federation}有一条给您的通知。

请用您的钱包查看：
  {inbox}

邮件可能被他人看到，因此本邮件不说明通知内容。以下是该通知的 SHA-256，您可以据此确认所指的就是这一条：
{hash}
""",
)
