"""The tables of what was measured over gRPC."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.listings_grpc import SOME
from benchmarks.listings_grpc_timing import WORDS
from benchmarks.listings_load import label
from benchmarks.listings_timing import PERCENTILES

Figures = Mapping[str, float]


def show_grpc(console: Console, figures: Figures, sizes: Sequence[int]) -> None:
    """Print what was measured of each of ``sizes``, and times of the largest where they were taken."""
    table = Table(title="Over gRPC, beside a bare echo of messages of the same sizes")
    names = ("listings", "loaded in s", "", "a second", "echo", "ratio", "p50 ms", "p99 ms")
    for name in (*names, "CPU µs", "echo µs"):
        table.add_column(name, justify="right")
    for size in sizes:
        loaded = f"{figures[f'load_s_{label(size)}']:,.1f}"
        for number, row in enumerate(_rows(figures, label(size))):
            table.add_row(*(("", "") if number else (f"{size:,}", loaded)), *row)
    console.print(table)
    console.print(
        "Checks one by one, 1 or 64 in flight; screenings in messages of as many subjects, four on the way: "
        "subjects a second, and until the last of them was in the log; p50 and p99 are a message's. CPU is "
        "user and system time of the exchange, or the echo's server, a check or a subject."
    )
    if "grpc_timing_samples" in figures:
        _show_times(console, figures, sizes[-1])


def _rows(figures: Figures, size: str) -> Iterator[list[str]]:
    def told(*named: tuple[str, str]) -> list[str]:
        return [format(figures[f"{name}_{size}"], shape) if name else "" for name, shape in named]

    for many, ratio in ((1, "check_ratio_echo_1"), (64, "check_ratio_echo")):
        yield [
            f"check, {many}",
            *told(
                (f"checks_per_s_{many}", ",.0f"),
                (f"echo_per_s_{many}", ",.0f"),
                (ratio, ".3f"),
                (f"checks_p50_ms_{many}", ",.1f"),
                (f"checks_p99_ms_{many}", ",.1f"),
                (f"check_cpu_us_{many}", ",.0f"),
                (f"echo_cpu_us_{many}", ",.0f"),
            ),
        ]
    for end in ("", f"_{SOME}"):
        each = SOME if end else int(figures[f"screen_message_subjects_{size}"])
        yield [
            f"screen, {each:,}",
            *told(
                (f"screen_subjects_per_s{end}", ",.0f"),
                (f"packed_echo_subjects_per_s{end}", ",.0f"),
                (f"screen_ratio_packed_echo{end}", ".4f"),
                (f"screen_message_p50_ms{end}", ",.1f"),
                (f"screen_message_p99_ms{end}", ",.1f"),
                (f"screen_cpu_us{end}", ",.1f"),
                (f"packed_echo_cpu_us{end}", ",.2f"),
            ),
        ]
        yield ["to the log", *told((f"screen_logged_per_s{end}", ",.0f")), *[""] * 6]


def _show_times(console: Console, figures: Figures, size: int) -> None:
    table = Table(title=f"Milliseconds of a check over gRPC, of {size:,} listings, 1 in flight")
    for column in ("", *(f"p{percentile}" for percentile in PERCENTILES), "KS"):
        table.add_column(column, justify="right" if column else "left")
    for why, name in WORDS.items():
        times = [format(figures[f"grpc_timing_{why}_p{p}_ms"], ",.2f") for p in PERCENTILES]
        table.add_row(name, *times, format(figures[f"grpc_timing_{why}_ks"], ".3f"))
    console.print(table)
    samples, critical = figures["grpc_timing_samples"], figures["grpc_timing_ks_critical"]
    console.print(
        f"{samples:,.0f} checks of each kind, in turn at random. KS is the distance from the first row; "
        f"between two samples of the same it is below {critical:.3f} in 99 of 100 runs."
    )
