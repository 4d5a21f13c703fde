"""Teams against their quotas, and how attainment is spread, without showing any person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from salestrack.kpis import quota_attainment, share_of_reps_at_quota

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.page import Page
    from salestrack.periods import Period
    from salestrack.show import Html

STEP = 0.05  # attainments are told in steps of five points, so that none is a person's exact figure


def anonymous(attainments: pd.Series[float], k: int) -> pd.DataFrame:
    """Attainments of single reps as nobody's: rounded, sorted, without ids; none if they are fewer than `k`.

    Parameters
    ----------
    attainments : one value per rep, 1 is the whole quota
    k : smallest group that may be shown (`[privacy] k` of salestrack.toml)

    Returns
    -------
    `quota_attainment`, one row per rep with a quota, in steps of five points.

    Examples
    --------
    >>> anonymous(pd.Series([1.013, 0.48], index=["Ada", "Ben"]), k=2)
       quota_attainment
    0               0.5
    1               1.0
    >>> anonymous(pd.Series([1.013, 0.48]), k=5).empty
    True
    """
    known = attainments.dropna()
    shown = known if len(known) >= k else known.head(0)
    told = ((shown / STEP).round() * STEP).round(2).sort_values(ignore_index=True)
    return pd.DataFrame({"quota_attainment": told.astype("float64")})


def attainments(book: Book, period: Period) -> pd.DataFrame:
    """How the reps' attainment of a period is spread, without naming anyone (see `anonymous`)."""
    per_rep = quota_attainment(
        book.table("quotas"), book.table("credits"), by="rep_id", period=period,
        fiscal_year_start=book.config.fiscal_year_start_month,
    )
    held = per_rep[per_rep["n"] > 0]
    return anonymous(held["quota_attainment"], max(book.config.privacy.k, 2))


def bookings_per_rep(monthly: pd.DataFrame) -> pd.DataFrame:
    """Credited bookings per team over its active reps.

    Formula: sum of credits / average number of reps with a quota (rep-months / months), so that who joined or
    left counts for the months that he or she was there.

    Parameters
    ----------
    monthly : `quota_attainment` by team and month

    Returns
    -------
    One row per team: `credited`, `quota`, `quota_attainment`, `reps` (average), `bookings_per_rep` (currency
    units; NaN where a team has no rep).

    Examples
    --------
    >>> monthly = pd.DataFrame({"team": "North", "month": pd.to_datetime(["2026-01-01", "2026-02-01"]),
    ...                         "credited": [60.0, 90.0], "quota": [100.0, 100.0], "n": [1, 2]})
    >>> bookings_per_rep(monthly)
        team  credited  quota  quota_attainment  reps  bookings_per_rep
    0  North     150.0  200.0              0.75   1.5             100.0
    """
    months = monthly["month"].nunique()
    table = monthly.groupby("team", as_index=False, sort=True)[["credited", "quota", "n"]].sum()
    reps = table["n"] / months if months else table["n"].astype("float64")
    return pd.DataFrame(
        {
            "team": table["team"],
            "credited": table["credited"],
            "quota": table["quota"],
            "quota_attainment": table["credited"] / table["quota"].where(table["quota"] > 0),
            "reps": reps,
            "bookings_per_rep": table["credited"] / reps.where(reps > 0),
        }
    )


def per_team(book: Book, period: Period) -> pd.DataFrame:
    """`bookings_per_rep` of a period with the share of reps at quota, which teams below `k` reps do not show."""
    table = bookings_per_rep(book.kpi(quota_attainment, by=["team", "month"], period=period))
    reached = book.kpi(share_of_reps_at_quota, by="team", period=period)
    shown = reached[reached["n"] >= book.config.privacy.k][["team", "share_of_reps_at_quota"]]
    ordered = table.merge(shown, on="team", how="left").sort_values("quota_attainment", ascending=False, kind="stable")
    return ordered.reset_index(drop=True)


def spread(page: Page) -> Html:
    """A sentence on the year's attainment over all reps, and how sure the share at quota is."""
    told = page.book.kpi(share_of_reps_at_quota, period=page.year_to_date)
    interval = page.words.interval(told["low"].iloc[0], told["high"].iloc[0], "share", digits=0)
    return page.text(
        en="In the year to date {told.at_quota} of {told.n} reps reached their quota ({told:share}; with so few people "
        "the 95% interval is wide: {interval}).",
        de="Im laufenden Jahr haben {told.at_quota} von {told.n} Personen ihre Quote erreicht ({told:share}; bei so wenigen "
        "Personen ist das 95-%-Intervall breit: {interval}).",
        told=told.rename(columns={"share_of_reps_at_quota": "told"}), interval=interval,
    )
