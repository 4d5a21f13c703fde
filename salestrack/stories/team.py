"""Teams against their quotas, and how attainment is spread, without showing any person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from salestrack.kpis import quota_attainment, share_of_reps_at_quota, win_rate

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.page import Page
    from salestrack.periods import Period
    from salestrack.show import Html, Measure

STEP = 0.05  # attainments are told in steps of five points, so that none is a person's exact figure


def anonymous(attainments: pd.Series[float], k: int) -> pd.DataFrame:
    """Attainments of single reps as nobody's: rounded down, sorted, without ids; none if they are fewer than `k`.

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
    0              0.45
    1              1.00
    >>> anonymous(pd.Series([1.013, 0.48]), k=5).empty
    True
    """
    known = attainments.dropna()
    shown = known if len(known) >= k else known.head(0)
    steps = (shown / STEP + 1e-9) // 1  # down, so that nobody just below the quota seems to have reached it
    told = (steps * STEP).round(2).sort_values(ignore_index=True)
    return pd.DataFrame({"quota_attainment": told.astype("float64")})


def attainments(book: Book, period: Period) -> pd.DataFrame:
    """How the reps' attainment of a period is spread, without naming anyone (see `anonymous`)."""
    per_rep = quota_attainment(
        book.table("quotas"),
        book.table("credits"),
        by="rep_id",
        period=period,
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
    """`bookings_per_rep` of a period with the share of reps at quota of teams of at least `k` reps."""
    table = bookings_per_rep(book.kpi(quota_attainment, by=["team", "month"], period=period))
    reached = book.kpi(share_of_reps_at_quota, by="team", period=period)
    shown = reached[reached["n"] >= book.config.privacy.k][["team", "share_of_reps_at_quota"]]
    ordered = (
        table.drop(columns="quota")
        .merge(shown, on="team", how="left")
        .sort_values("quota_attainment", ascending=False, kind="stable")
    )
    return ordered.reset_index(drop=True)


LABELS = {
    "reps": {"en": "Reps", "de": "Personen"},
    "share_of_reps_at_quota": {"en": "At quota", "de": "Quote erreicht"},
}


def lead(page: Page) -> Html:
    """One sentence: the fiscal year's attainment so far, and the teams at both ends."""
    whole = page.book.kpi(quota_attainment, period=page.year_to_date)
    if whole["quota_attainment"].isna().all():
        return no_quota(page)
    if not page.book.has("teams"):
        return page.text(
            en="In the fiscal year so far {whole:share} of the quota was reached.",
            de="Im Geschäftsjahr wurden bisher {whole:share} der Quote erreicht.",
            whole=whole["quota_attainment"].iloc[0],
        )
    teams = page.book.kpi(quota_attainment, by="team", period=page.year_to_date)
    ordered = teams.dropna(subset="quota_attainment").sort_values("quota_attainment", kind="stable")
    first, last = ordered.iloc[-1], ordered.iloc[0]
    return page.text(
        en="In the fiscal year so far {whole:share} of the quota was reached; {first} is ahead "
        "({high:share}), {last} last ({low:share}).",
        de="Im Geschäftsjahr wurden bisher {whole:share} der Quote erreicht; vorn liegt {first} "
        "({high:share}), hinten {last} ({low:share}).",
        whole=whole["quota_attainment"].iloc[0],
        first=first["team"],
        last=last["team"],
        high=first["quota_attainment"],
        low=last["quota_attainment"],
    )


def no_quota(page: Page) -> Html:
    """A sentence for a fiscal year in which nobody has a quota yet."""
    return page.text(
        en="Nobody has a quota in the fiscal year so far.",
        de="Im Geschäftsjahr hat bisher niemand eine Quote.",
    )


SPREAD = {
    "en": "How quota attainment is spread over the reps, fiscal year so far",
    "de": "Wie sich die Quotenerreichung verteilt, Geschäftsjahr bisher",
}


def spread(page: Page) -> Html:
    """A sentence on the year's attainment over all reps, and how sure the share at quota is."""
    told = page.book.kpi(share_of_reps_at_quota, period=page.year_to_date)
    if not told["n"].iloc[0]:
        return no_quota(page)
    interval = page.words.interval(told["low"].iloc[0], told["high"].iloc[0], "share", digits=0)
    return page.text(
        en="In the fiscal year so far {told.at_quota} of {told.n} reps reached their quota ({told:share}; "
        "with so few people "
        "the 95% interval is wide: {interval}).",
        de="Im Geschäftsjahr haben bisher {told.at_quota} von {told.n} Personen ihre Quote erreicht "
        "({told:share}; bei so wenigen "
        "Personen ist das 95-%-Intervall breit: {interval}).",
        told=told.rename(columns={"share_of_reps_at_quota": "told"}),
        interval=interval,
    )


def year_card(page: Page) -> Html | None:
    """The card of the fiscal year's attainment of its quota so far; None without quotas."""
    if not page.book.has("quotas"):
        return None
    label = {"en": "Quota attainment, year to date", "de": "Quotenerreichung im Jahr bisher"}
    return page.card(
        page.book.kpi(quota_attainment, period=page.year_to_date), quota_attainment, target=1.0, label=label
    )


def reps_card(page: Page) -> Html | None:
    """The card of the share of reps at quota in the fiscal year so far; None without quotas."""
    if not page.book.has("quotas"):
        return None
    label = {"en": "Reps at quota, year to date", "de": "Anteil mit erreichter Quote im Jahr bisher"}
    told = page.book.kpi(share_of_reps_at_quota, period=page.year_to_date)
    return page.card(told, share_of_reps_at_quota, label=label)


BEHIND, HALF = 0.95, 0.5


def rules(page: Page) -> list[Measure | None]:
    """The measures of the page on teams; None where a rule is silent."""
    book, so_far = page.book, page.year_to_date
    if not book.has("quotas"):
        return []
    found = [
        page.measure(
            book.kpi(share_of_reps_at_quota, period=so_far),
            share_of_reps_at_quota,
            below=HALF,
            owner="sales_manager",
            en="Check whether quotas fit the territories' potential, and coach where they do.",
            de="Prüfen, ob die Quoten zum Potenzial der Gebiete passen, und dort coachen, wo sie passen.",
        )
    ]
    if book.has("teams"):
        found.insert(
            0,
            page.measure(
                book.kpi(quota_attainment, by="team", period=so_far),
                quota_attainment,
                below=BEHIND,
                by="team",
                least=book.config.privacy.k,
                owner="team_lead",
                en="Agree a recovery plan: which deals close the gap to the quota, and by when.",
                de="Einen Aufholplan vereinbaren: welche Deals die Lücke zur Quote schließen und bis wann.",
            ),
        )
    if book.has("deals", "teams"):
        won, whole = (book.kpi(win_rate, by=by, period=page.last_12) for by in ("team", None))
        found.append(
            page.measure(
                surely_below(won, whole),
                win_rate,
                below=float(whole["win_rate"].iloc[0]),
                by="team",
                owner="team_lead",
                en="Go through the lost deals with the team: its win rate is lower by more than chance "
                "explains.",
                de="Die verlorenen Deals mit dem Team durchgehen: Seine Abschlussquote liegt tiefer, als "
                "der Zufall erklärt.",
            )
        )
    return found


def surely_below(teams: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """The teams whose whole 95 % interval lies below the rate of all.

    >>> teams = pd.DataFrame({"team": ["a", "b"], "win_rate": [0.2, 0.25], "high": [0.25, 0.35]})
    >>> surely_below(teams, pd.DataFrame({"win_rate": [0.3]}))["team"].to_list()
    ['a']
    """
    below: pd.DataFrame = teams[teams["high"] < whole["win_rate"].iloc[0]]
    return below
