"""The base of the pages: who is let in, and what every answer carries. Its own small site, no network."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import grpc
import httpx
import pytest
from starlette.responses import Response

from clients.console.base import Action, Console, Page, Site, Visit, build_app
from clients.console.base.charts import Told, contribution_chart, reach_chart
from clients.console.base.failures import PageRefused
from clients.console.base.forms import parse_form
from clients.console.desk.series import gap_chart
from clients.sdk.errors import ClientError
from concordat.rpc.errors import RemoteError
from concordat.v1 import Reason
from tests.page_client import HOME, OWN, PageClient

START = datetime(2026, 11, 30, 9, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


def _failing(visit: Visit) -> Response:
    raise ClientError("<b>there is no such wallet</b>")


def _later(visit: Visit) -> Response:
    wait = timedelta(minutes=7)
    reason = Reason.REASON_QUOTA_EXCEEDED
    raise RemoteError(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, "Not now.", "", wait)


def _broken(visit: Visit) -> Response:
    raise RuntimeError("secret detail")


def _home(visit: Visit) -> Response:
    return visit.page("closed.html")


def _set(visit: Visit) -> Response:
    visit.session.kept["said"] = visit.form.one("said")
    return visit.go("/", notice=visit.form.one("said"))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def console(time: Time) -> Console:
    site = Site("test", "Test", (("/", "The first page"),), "clients.console.base", time.now)
    routes = [
        Page("/", _home),
        Page("/fails", _failing),
        Page("/breaks", _broken),
        Page("/later", _later),
    ]
    return build_app([*routes, Action("/set", _set, most_bytes=1000)], site)


@pytest.fixture
def stranger(console: Console) -> Iterator[PageClient]:
    with PageClient(console) as client:
        yield client


@pytest.fixture
def client(stranger: PageClient) -> PageClient:
    return stranger.enter()


def _token(console: Console) -> str:
    (session,) = console.sessions._open.values()
    return session.csrf


def _post(client: PageClient, console: Console, said: str = "x", **headers: str) -> httpx.Response:
    form = {"csrf": _token(console), "said": said}
    return client.post("/set", data=form, headers=OWN | headers)


# The link and the session --------------------------------------------------------------------------


def test_a_link_opens_the_page_once(console: Console, stranger: PageClient) -> None:
    link = console.issue_link("")
    opened = stranger.get(link)
    assert opened.headers["refresh"] == "0; url=/"
    cookie = opened.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/").status_code == 200
    stranger.cookies.clear()
    assert stranger.get(link).status_code == 401
    assert stranger.get("/").status_code == 401


def test_a_wrong_link_opens_nothing(stranger: PageClient) -> None:
    assert stranger.get("/open/guess").status_code == 401
    assert not stranger.cookies


def test_a_look_ahead_does_not_use_a_link_up(console: Console, stranger: PageClient) -> None:
    link = console.issue_link("")
    assert stranger.head(link).status_code == 404
    assert stranger.get(link, headers={"sec-purpose": "prefetch"}).status_code == 404
    assert stranger.get(link).status_code == 200


def test_a_link_is_dead_after_two_minutes(
    console: Console, stranger: PageClient, time: Time
) -> None:
    link = console.issue_link("")
    time.at += timedelta(minutes=2)
    assert stranger.get(link).status_code == 401


def test_links_cannot_be_tried_out(stranger: PageClient) -> None:
    answers = [stranger.get(f"/open/{n}").status_code for n in range(11)]
    assert answers == [401] * 10 + [429]


def test_a_session_ends_when_it_is_idle(client: PageClient, time: Time) -> None:
    time.at += timedelta(minutes=14)
    assert client.get("/").status_code == 200
    time.at += timedelta(minutes=15)
    assert client.get("/").status_code == 401


def test_a_session_ends_after_eight_hours_of_use(client: PageClient, time: Time) -> None:
    for _ in range(47):
        time.at += timedelta(minutes=10)
        assert client.get("/").status_code == 200
    time.at += timedelta(minutes=10)
    assert client.get("/").status_code == 401


def test_a_page_that_was_closed_is_closed(client: PageClient, console: Console) -> None:
    form = {"csrf": _token(console)}
    assert client.post("/close", data=form, headers=OWN).status_code == 200
    assert not console.sessions._open
    assert client.get("/").status_code == 401


# Who asks ------------------------------------------------------------------------------------------


def test_a_form_with_the_sessions_token_is_taken(client: PageClient, console: Console) -> None:
    assert _post(client, console).status_code == 303


@pytest.mark.parametrize("token", ["", "guess"])
def test_a_form_with_a_forged_token_is_refused(client: PageClient, token: str) -> None:
    answer = client.post("/set", data={"csrf": token, "said": "x"}, headers=OWN)
    assert answer.status_code == 403


def test_a_form_without_a_token_is_refused(client: PageClient) -> None:
    assert client.post("/set", data={"said": "x"}, headers=OWN).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site"},
        {},
    ],
)
def test_a_form_from_another_page_is_refused_even_with_its_token(
    client: PageClient, console: Console, headers: dict[str, str]
) -> None:
    form = {"csrf": _token(console), "said": "x"}
    assert client.post("/set", data=form, headers=headers).status_code == 403


def test_a_page_is_not_read_by_another_site(client: PageClient) -> None:
    assert client.get("/", headers={"sec-fetch-site": "same-site"}).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": "none"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1:9", "127.0.0.1", "", "127.0.0.1.evil.example:8000"]
)
def test_a_foreign_name_for_this_machine_is_refused(client: PageClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


def test_changes_are_limited(client: PageClient, console: Console) -> None:
    answers = [_post(client, console).status_code for _ in range(31)]
    assert answers == [303] * 30 + [429]
    assert _post(client, console).headers["retry-after"] == "2"


def test_a_form_that_is_too_large_is_refused(client: PageClient, console: Console) -> None:
    assert _post(client, console, "x" * 1000).status_code == 413


# What comes back -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/console.css", "/nowhere", "/fails", "/breaks", "/open/guess"]
)
def test_every_answer_carries_the_strict_headers(client: PageClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_a_refused_host_gets_the_headers_too(client: PageClient) -> None:
    assert "content-security-policy" in client.get("/", headers={"host": "evil"}).headers


def test_what_goes_wrong_is_a_page_that_shows_no_markup_of_others(client: PageClient) -> None:
    answer = client.get("/fails")
    assert answer.status_code == 422
    assert "&lt;b&gt;there is no such wallet" in answer.text


def test_what_nobody_foresaw_tells_nothing(
    client: PageClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/breaks")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text


def test_a_notice_is_told_once_and_escaped(client: PageClient, console: Console) -> None:
    _post(client, console, "<script>alert(1)</script>")
    page = client.get("/").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "alert(1)" not in client.get("/").text


def test_the_language_is_taken_from_the_browser_and_kept_when_chosen(client: PageClient) -> None:
    assert '<html lang="en">' in client.get("/").text
    wish = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
    assert '<html lang="zh-Hans">' in client.get("/", headers=wish).text
    assert '<html lang="zh-Hans">' in client.get("/?lang=zh").text
    assert '<html lang="zh-Hans">' in client.get("/").text
    assert '<html lang="en">' in client.get("/?lang=en", headers=wish).text
    assert '<html lang="en">' in client.get("/?lang=xx").text


def test_a_languages_link_leads_to_no_other_host(stranger: PageClient) -> None:
    page = stranger.get(f"{HOME}//evil.example/", headers={"sec-fetch-site": "cross-site"})
    assert 'href="/?lang=zh"' in page.text
    assert "evil.example" not in page.text


def test_a_refusal_says_in_the_visitors_language_when_to_try_again(client: PageClient) -> None:
    assert "Try again in 7 minutes." in client.get("/later").text
    assert "请在 7分钟后再试。" in client.get("/later?lang=zh").text.replace("7 分钟", "7分钟")


def test_everything_can_be_read_in_light_and_in_dark() -> None:
    sheet = (files("clients.console.base") / "static" / "console.css").read_text("utf-8")
    for theme in re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]:
        colour = dict(re.findall(r"--([\w-]+): (#\w{6});", theme))
        for ink, ground, least in (
            *((ink, ground, 4.5) for ink in ("ink", "quiet", "accent") for ground in _GROUNDS),
            *((ink, "card", 4.5) for ink in ("plus", "minus")),
            ("on-accent", "accent", 4.5),
            ("line", "card", 3.0),
        ):
            assert _contrast(colour[ink], colour[ground]) >= least, (ink, ground)


_GROUNDS = ("ground", "card", "told", "warn")


def _contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# Forms and charts ----------------------------------------------------------------------------------


def test_files_come_whole_whatever_they_hold() -> None:
    content = b"\x00--b\r\n\r\n--\xff\r\r\n"
    body = (
        b'--b0\r\nContent-Disposition: form-data; name="said"\r\n\r\n\xe4\xb8\xad\r\n'
        b'--b0\r\nContent-Disposition: form-data; name="file"; filename="a.eml"\r\n'
        b"Content-Type: message/rfc822\r\n\r\n" + content + b"\r\n--b0--\r\n"
    )
    form = parse_form("multipart/form-data; boundary=b0", body)
    assert form.one("said") == "中"
    (file,) = form.uploads("file")
    assert (file.name, file.content) == ("a.eml", content)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"a=b"),
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"a=%ff"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 201)),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nX: y\r\n\r\nz\r\n--b--\r\n"),
        ("multipart/form-data", b"--b--\r\n"),
    ],
)
def test_what_no_browser_sends_is_no_form(kind: str, body: bytes) -> None:
    with pytest.raises(PageRefused):
        parse_form(kind, body)


@pytest.mark.parametrize("text", ["-1", "1.5", "1_0", "\N{ARABIC-INDIC DIGIT ONE}", "1" * 10])
def test_a_number_is_plain_digits(text: str) -> None:
    form = parse_form("multipart/form-data; boundary=b", b"--b--\r\n")
    form.fields["n"] = [text]
    with pytest.raises(PageRefused):
        form.number("n")


def test_charts_stay_in_their_frame_and_have_a_table() -> None:
    told = Told("c", "A chart", "What it shows", ("a", "b"), (("x", "1"),))
    charts = [
        contribution_chart(told, [("x" * 90, 5, "5"), ("y", 0, "0")]),
        contribution_chart(told, [("a", 60, "+60"), ("b", -300, "-300"), ("c", 0, "0")]),
        reach_chart(told, (300, 850), (200, 900), 640, [(300, "300"), (850, "850")]),
        gap_chart(told, [("Mon", 3, "3"), ("Tue", 1, "1")]),
        gap_chart(told, []),
    ]
    for chart in charts:
        for rect in chart.rects:
            assert 0 <= rect.x <= rect.x + rect.width <= chart.width
            assert 0 <= rect.y <= rect.y + rect.height <= chart.height + 1
        assert chart.rows
