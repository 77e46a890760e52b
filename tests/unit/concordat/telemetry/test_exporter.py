import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from concordat.settings import SettingsError
from concordat.telemetry.exporter import exporting
from concordat.telemetry.metric import GROUPS
from concordat.telemetry.metrics import LISTINGS_SHOWN
from tests.metric_pages import exported_by, families, scraped


@pytest.mark.parametrize("process", sorted(GROUPS))
def test_a_process_shows_what_is_declared_for_it_and_nothing_else(process: str) -> None:
    with exporting("127.0.0.1:0", process) as port:
        page = scraped(f"127.0.0.1:{port}")
    assert families(page) == exported_by(process)
    assert f'concordat_build_info{{process="{process}"' in page


def test_gauges_are_read_when_somebody_looks() -> None:
    shown = iter([3, 5])
    with exporting("127.0.0.1:0", "exchange", [lambda: LISTINGS_SHOWN.set(next(shown))]) as port:
        scraped(f"127.0.0.1:{port}")
        page = scraped(f"127.0.0.1:{port}")
    assert "concordat_listings_in_memory 5.0" in page


def test_a_reading_that_fails_keeps_nothing_else_from_being_shown() -> None:
    def fail() -> None:
        raise OSError("the database is away")

    with exporting("127.0.0.1:0", "exchange", [fail, lambda: LISTINGS_SHOWN.set(7)]) as port:
        page = scraped(f"127.0.0.1:{port}")
    assert "concordat_listings_in_memory 7.0" in page
    assert "concordat_scrape_failures_total 0.0" not in page


def test_nothing_but_metrics_is_served() -> None:
    with exporting("127.0.0.1:0", "witness") as port, pytest.raises(HTTPError, match="404") as told:
        urlopen(f"http://127.0.0.1:{port}/checkpoint", timeout=5)
    told.value.close()


def test_without_the_setting_nobody_listens() -> None:
    with exporting("", "witness") as port:
        assert port == 0


@pytest.mark.parametrize("port", [None, 99_999])
def test_a_port_that_cannot_be_had_is_told_as_a_setting(port: int | None) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{port or taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match="metrics"), exporting(address, "witness"):
            pass
