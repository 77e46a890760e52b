"""`concordat regulator`: the supervisor's desk."""

import typer

from clients.cli.console import CODES
from clients.cli.regulator_case import app as case
from clients.cli.regulator_desk import desk
from clients.cli.regulator_disputes import disputes
from clients.cli.regulator_licence import members, show, sign, submit
from clients.cli.regulator_officer_certificate import officer_certificate
from clients.cli.regulator_orders import app as order
from clients.cli.regulator_propose import app as propose
from clients.cli.regulator_report import report
from clients.cli.regulator_sign_in import sign_in
from clients.cli.regulator_statistics import statistics

app = typer.Typer(
    help="License and supervise: members, cases, statistics, orders, the monthly report.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(case, name="case")
app.add_typer(propose, name="propose")
app.add_typer(order, name="order")
for command in (sign, show, submit, members, disputes, statistics, report):
    app.command(epilog=CODES)(command)
app.command(epilog=CODES)(desk)
app.command("sign-in", epilog=CODES)(sign_in)
app.command("officer-certificate", epilog=CODES)(officer_certificate)
