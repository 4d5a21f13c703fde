"""Whether what is done early in a deal goes with winning it: associations at a landmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, named_groups
from salestrack.kpis._frames import (
    Part,
    Rows,
    flag,
    masked_sum,
    once,
    small,
    smalls,
    stacked,
    summarise,
)
from salestrack.kpis._joining import joined
from salestrack.kpis._landmark import at_landmark, beside_deals, done, merged, until_landmark
from salestrack.kpis._results import layout, proportion
from salestrack.kpis._survival import Figures, checked_day, checked_horizon, per_group, whole
from salestrack.periods import PeriodLike
from salestrack.stats.survival import quantile_of_counts
from salestrack.stats.testing import adjusted_difference, benjamini_hochberg, minimum_detectable

ADJUST = ("segment", "lead_source")
COUNTS = ("exposed", "unexposed", "exposed_won", "unexposed_won", "n", "too_young", "left_out")
SHARES = ("exposed_share", "unexposed_share")


@card(
    number=26,
    unit="share",
    date="created_date",
    label_en="Activities and winning",
    label_de="Aktivitäten und Gewinnen",
    description_de="Unterschied im gewonnenen Anteil zwischen Verkaufschancen mit vielen und mit wenigen frühen "
    "Aktivitäten einer Art: ein Zusammenhang, keine Wirkung.",
    formula_de="gewonnener Anteil der Verkaufschancen mit mehr Aktivitäten der Art bis zum Landmark-Tag als die "
    "mittlere, minus der Anteil der übrigen; innerhalb der Schichten von adjust verglichen "
    "(Mantel-Haenszel), nur Verkaufschancen, die am Landmark-Tag offen waren.",
    undefined_de="NaN mit dem Vermerk no_data, wo keine Verkaufschance am Landmark-Tag offen war, immature, "
    "solange keine bis zum Ende der Frist verfolgt wurde, no_contrast, wo in keiner Schicht beide Seiten "
    "vorkommen.",
)
def activity_association(
    activities: Any,
    deals: Any,
    *,
    as_of: date | str,
    landmark_days: int = 30,
    horizon_days: int = 180,
    adjust: Sequence[str] = ADJUST,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Difference in the share won between deals with many and with few early activities of a type: an
    association, not an effect.

    Formula: share won of the deals with more activities of the type up to the landmark day than the median
    deal, minus that of the others, compared within strata of adjust (Mantel-Haenszel), of deals open at the
    landmark.

    Undefined: NaN with the note no_data where no deal was open at the landmark, immature while none has been
    followed to the horizon, no_contrast where no stratum has both sides.

    Only deals of one age are compared, so that long deals do not look active. The control asks the same of
    activities on the customer before the deal existed: they cannot have worked on it, so where the control
    differs from 0, the difference comes from which deals get activities. What sellers knew and the
    columns do not tell remains: this is an association, never an effect.

    Parameters
    ----------
    activities : `activity_type`, `deal_id`, `started_date` or `started_at`, optionally `activity_id`,
        `is_done`, `is_automated`, `account_id`
    deals : `deal_id`, `status`, `created_date` or `created_at`, `closed_date` or `closed_at`, the columns of
        adjust, optionally `account_id`
    as_of : the day at whose end things are looked at
    landmark_days : the landmark, in days after creation; activities up to it count
    horizon_days : days after the landmark within which a win counts
    adjust : columns of deals; only deals that agree in all of them are compared; () compares all
    by : columns of deals, or period words of the creation
    period : of the creation
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group and `activity_type`: `more_than` (activities of the median deal: more of them is
    exposed), `exposed`, `unexposed`, `exposed_won`, `unexposed_won` (won by the horizon), `exposed_share`,
    `unexposed_share` (0 to 1, unadjusted), `activity_association` (adjusted difference of the shares, -1 to 1),
    `low`, `high` (95 %, Sato), `p` (Cochran-Mantel-Haenszel), `q` (Benjamini-Hochberg over the rows of the
    table), `minimum_detectable` (smallest rise that so many deals show with 80 % power), `control`,
    `control_low`, `control_high` (the same for activities on the account in as many days before
    creation; NaN without accounts), `compared` (deals in strata that have both sides), `n` (deals open at the
    landmark and followed to the horizon), `too_young` (not followed so far, left out), `left_out` (closed
    by the landmark, or closed on an unknown day), `note`.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05")
    >>> deals = pd.DataFrame({"deal_id": list("abcd"), "status": ["won", "won", "lost", "lost"],
    ...                       "created_date": start, "closed_date": start + pd.Timedelta(days=60)})
    >>> calls = pd.DataFrame({"activity_type": "call", "deal_id": ["a", "a", "b", "c"],
    ...                       "started_at": start + pd.Timedelta(days=3)})
    >>> table = activity_association(calls, deals, as_of="2026-10-31", adjust=())
    >>> table[["more_than", "exposed_share", "unexposed_share", "activity_association"]]
       more_than  exposed_share  unexposed_share  activity_association
    0          1            1.0         0.333333              0.666667
    """
    name, day = "activity_association", checked_day(as_of, "activity_association")
    landmark, horizon = _window(landmark_days, name), checked_horizon(horizon_days, name)
    every, counts, strata = at_landmark(
        deals, day, landmark, horizon, adjust,
        function=name, by=by, period=period, fiscal_year_start=fiscal_year_start,
    )  # fmt: skip
    every = _with_accounts(every, counts, strata)
    x = every.keep(nw.col("_counts") == 1)
    made = smalls(_population(x, strata), _exposures(activities, every, strata, day, landmark))
    base, hits = (x.finish(table) for table in made)
    parts = [_associations(base, hits, kind, x.by, strata) for kind in _types(hits)]
    table = pd.concat(parts or [_associations(base, hits, "", x.by, strata).iloc[:0]], ignore_index=True)
    table["q"] = benjamini_hochberg(table["p"])
    reason = np.where(table["n"] > 0, "no_contrast", np.where(table["too_young"] > 0, "immature", "no_data"))
    table["note"] = pd.Series(np.where(table[name].notna(), "", reason), dtype="str", index=table.index)
    groups = (*x.by, "activity_type")
    table = named_groups(whole(table, "more_than", *COUNTS, "compared"), groups)
    figures = (name, "low", "high", "p", "q", "minimum_detectable", "control", "control_low", "control_high")
    return table[[*groups, "more_than", *COUNTS[:4], *SHARES, *figures, "compared", *COUNTS[4:], "note"]]


@card(
    number=43,
    unit="share",
    date="created_date",
    label_en="Multi-threading",
    label_de="Mehrere Ansprechpartner",
    description_de="Anteil der Verkaufschancen, in denen bis zum Landmark-Tag mit mindestens zwei Personen des "
    "Kunden gesprochen wurde.",
    formula_de="Verkaufschancen mit mindestens zwei verschiedenen Ansprechpartnern in erledigten Aktivitäten bis "
    "zum Landmark-Tag / alle Verkaufschancen, die am Landmark-Tag offen waren.",
    undefined_de="NaN mit dem Vermerk no_data, wo keine Verkaufschance am Landmark-Tag offen war, unrecorded, wo "
    "bei keiner Verkaufschance der Tabelle ein Ansprechpartner erfasst ist.",
)
def multi_threading(
    deals: Any,
    activities: Any,
    activity_participants: Any = None,
    *,
    as_of: date | str,
    landmark_days: int = 30,
    horizon_days: int = 180,
    adjust: Sequence[str] = ADJUST,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of deals in which at least two people of the customer were met by the landmark day.

    Formula: deals with at least two distinct contacts in done activities up to the landmark day / all deals
    that were open at the landmark.

    Undefined: NaN with the note no_data where no deal was open at the landmark, unrecorded where not one
    deal of the table has a contact recorded.

    Parameters
    ----------
    deals, as_of, landmark_days, horizon_days, adjust, by, period, fiscal_year_start : as in
        activity_association
    activities : `deal_id`, `contact_id`, `activity_type`, `started_date` or `started_at`, optionally
        `activity_id`, `is_done`, `is_automated`
    activity_participants : further people: `activity_id`, `participant_type` (contacts count), `participant_id`

    Returns
    -------
    One row per group: `contacts` (mean number of distinct contacts per deal), `multi` (deals with two or
    more), `without_contact` (deals with none recorded), `multi_threading` (0 to 1), `low`, `high` (95 % Wilson),
    `n` (deals open at the landmark, at least that old), `exposed_share`, `unexposed_share` (won by the
    horizon, of deals with two or more and of the others), `association` (their difference within strata of
    adjust), `association_low`, `association_high`, `p`, `minimum_detectable`, `followed` (deals followed to the
    horizon), `note`. The difference is an association, never an effect.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05")
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "status": "open", "created_date": start,
    ...                       "closed_date": pd.NaT})
    >>> calls = pd.DataFrame({"activity_type": "call", "deal_id": ["a", "a", "b", "b"],
    ...                       "contact_id": ["Kim", "Lee", "Mia", "Mia"], "started_at": start})
    >>> multi_threading(deals, calls, as_of="2026-10-31", adjust=())[["contacts", "multi", "multi_threading"]]
       contacts  multi  multi_threading
    0       1.5      1              0.5
    """
    name, day = "multi_threading", checked_day(as_of, "multi_threading")
    landmark, horizon = _window(landmark_days, name), checked_horizon(horizon_days, name)
    every, among, strata = at_landmark(
        deals, day, landmark, horizon, adjust,
        function=name, by=by, period=period, fiscal_year_start=fiscal_year_start,
    )  # fmt: skip
    x = every.keep(among)
    met = _met(activities, activity_participants, x, day, landmark)
    people = summarise(met, ("deal_id",), _people="len")
    x = Facts(joined(x.rows, people, "deal_id", "left"), x.by, name, fiscal_year_start)
    counts = x.finish(small(_threads(x, strata)))
    table = per_group(counts, x.by, _threading)
    table = whole(proportion(table, name, "multi"), "multi", "without_contact", "n", "followed")
    if not (table["n"] > table["without_contact"]).any():
        kept = (*x.by, "multi", "n", "followed", "without_contact", "note")
        table = table.assign(**{str(c): np.nan for c in table if c not in kept})
        table["note"] = pd.Series(np.where(table["n"] > 0, "unrecorded", "no_data"), dtype="str")
    association = ("association", "association_low", "association_high", "p", "minimum_detectable")
    figures = (name, "low", "high", "n", *SHARES, *association, "followed", "note")
    return layout(table, x, "contacts", "multi", "without_contact", *figures)


def _window(days: int, function: str) -> int:
    if days < 1:
        raise KpiError.bad_option(function, "landmark_days", days, "give a number of days above 0")
    return int(days)


def _with_accounts(x: Facts, counts: nw.Expr, strata: Sequence[str]) -> Facts:
    """With the account as text (`_account`), and 1 in `_placed` where there is one, in `_counts` where the deal counts."""
    account = nw.col("account_id") if "account_id" in x.columns else nw.lit(None)
    x = x.mark(_account=account.cast(nw.String), _counts=flag(counts))
    x = x.mark(
        _followed=nw.col("_followed") * nw.col("_counts"),
        _placed=flag(~nw.col("_account").is_null()) * nw.col("_followed") * nw.col("_counts"),
        _young=nw.col("_n") - nw.col("_followed") + 1 - nw.col("_old"),
    )
    flags = ("_counts", "_followed", "_won", "_placed", "_young", "_gone")
    columns = dict.fromkeys((*x.by, *strata, "deal_id", "_account", "_born", *flags))
    return replace(x, rows=once(x.rows.select(*columns)))


def _population(x: Facts, strata: Sequence[str]) -> Rows:
    """Per group and stratum the deals, those won, the same of deals with an account, and who is left out."""
    x = x.mark(_placed_won=nw.col("_placed") * nw.col("_won"))
    columns = {"n": "followed", "too_young": "young", "left_out": "gone"}
    columns |= {name: name for name in ("won", "placed", "placed_won")}
    sums: dict[str, Part] = {name: (f"_{column}", "sum") for name, column in columns.items()}
    return summarise(x.rows, (*x.by, *strata), **sums)


def _exposures(activities: Any, x: Facts, strata: Sequence[str], as_of: date, landmark: int) -> Rows:
    """Deals per group, stratum, window (0 up to the landmark, 1 before creation), type and number of them."""
    acts = beside_deals(done(activities, as_of, "deal_id", function=x.function), x, landmark)
    early = acts.filter(~nw.col("deal_id").is_null())
    counted = [(0, early), (1, _before(acts.drop("deal_id"), x, landmark))]
    keys = ("deal_id", "activity_type")
    hits = [
        summarise(merged(rows, *keys), keys, _k="len").select(*keys, "_k", _window=nw.lit(window))
        for window, rows in counted
    ]
    own = x.keep(nw.col("_followed") == 1).rows.select("deal_id", "_won", *x.by, *strata)
    rows = joined(stacked(hits), own, "deal_id")
    return summarise(
        rows, (*x.by, *strata, "_window", "activity_type", "_k"), deals="len", deals_won=("_won", "sum")
    )


def _before(acts: Rows, x: Facts, days: int) -> Rows:
    """What was done on the account of a deal in so many days before it was created: in two stretches of as many."""
    acts = acts.with_columns(_stretch=nw.col("_day") - nw.col("_day") % days)
    placed = x.keep(nw.col("_placed") == 1).rows.select("deal_id", "_account", "_born")
    last = nw.col("_born") - nw.col("_born") % days
    both = stacked([placed.with_columns(_stretch=last), placed.with_columns(_stretch=last - days)])
    ahead = nw.col("_born") - nw.col("_day")
    met: Rows = joined(acts, both, ["_account", "_stretch"]).filter((ahead >= 1) & (ahead <= days))
    return met


def _types(hits: pd.DataFrame) -> list[str]:
    """The types that any of the deals has up to the landmark."""
    return sorted(hits["activity_type"][hits["_window"] == 0].unique())


def _associations(
    base: pd.DataFrame, hits: pd.DataFrame, kind: str, by: Sequence[str], strata: Sequence[str]
) -> pd.DataFrame:
    """The rows of one type of activity, one per group."""
    keys, of_kind = [*by, *strata], hits[hits["activity_type"] == kind]
    table, more_than = base.assign(activity_type=kind), 0
    for window, whole_of in ((0, "n"), (1, "placed")):
        mine = of_kind[of_kind["_window"] == window]
        none = float(base[whole_of].sum() - mine["deals"].sum())
        median = quantile_of_counts([0, *mine["_k"]], [none, *mine["deals"]], 0.5)
        many = mine[mine["_k"] > median]
        more_than = more_than if window else int(np.nan_to_num(median))
        sums = {f"deals{window}": ("deals", "sum"), f"won{window}": ("deals_won", "sum")}
        table = _sides(table, many, keys, sums)
    made = per_group(table, by, _one_type)
    return made.assign(activity_type=kind, more_than=more_than)


def _sides(
    table: pd.DataFrame, many: pd.DataFrame, keys: Sequence[str], sums: dict[str, tuple[str, str]]
) -> pd.DataFrame:
    """The strata with the number of exposed deals and of those won beside them."""
    if not keys:
        return table.assign(**{new: int(many[old].sum()) for new, (old, _) in sums.items()})
    grouped = many.groupby(list(keys), dropna=False)
    found = pd.DataFrame({new: grouped[old].sum() for new, (old, _) in sums.items()}).reset_index()
    found = found.astype({key: table[key].dtype for key in keys})
    return table.merge(found, on=list(keys), how="left").fillna(dict.fromkeys(sums, 0))


def _one_type(s: pd.DataFrame) -> Figures:
    """The figures of one group from its strata."""
    main = adjusted_difference(s["won0"], s["deals0"], s["won"] - s["won0"], s["n"] - s["deals0"])
    control = adjusted_difference(
        s["won1"], s["deals1"], s["placed_won"] - s["won1"], s["placed"] - s["deals1"]
    )  # fmt: skip
    made = {
        "exposed": float(s["deals0"].sum()),
        "exposed_won": float(s["won0"].sum()),
        **{name: float(s[name].sum()) for name in ("n", "won", "too_young", "left_out")},
    }
    made["unexposed"], made["unexposed_won"] = made["n"] - made["exposed"], made["won"] - made["exposed_won"]
    return made | _compared(made) | {
        "activity_association": main.difference,
        **{name: value for name, value in asdict(main).items() if name in ("low", "high", "p", "compared")},
        "control": control.difference,
        "control_low": control.low,
        "control_high": control.high,
    }  # fmt: skip


def _compared(of: Figures) -> Figures:
    """The plain shares of both sides and the smallest rise that they would show."""
    sides = {
        f"{side}_share": of[f"{side}_won"] / of[side] if of[side] else float("nan")
        for side in ("exposed", "unexposed")
    }
    smallest = minimum_detectable(sides["unexposed_share"], of["exposed"], of["unexposed"])
    return sides | {"minimum_detectable": float(smallest)}


def _met(activities: Any, participants: Any, x: Facts, as_of: date, landmark: int) -> Rows:
    """Deals and the people met in them, each pair once."""
    needs = ("deal_id", "contact_id") if participants is None else ("deal_id", "contact_id", "activity_id")
    acts, each = done(activities, as_of, *needs, function=x.function), ("deal_id", "_day", "contact_id")
    people = acts.rows.select(*each)
    if participants is not None:
        wanted = ("activity_id", "participant_type", "participant_id")
        who = facts(participants, function=x.function, needs=wanted)
        who = who.keep(nw.col("participant_type") == "contact").mark(
            activity_id=nw.col("activity_id").cast(nw.String),
            contact_id=nw.col("participant_id").cast(nw.String),
        )
        there = acts.rows.select("activity_id", "deal_id", "_day")
        there = joined(there, who.rows.select("activity_id", "contact_id"), "activity_id")
        people = stacked([people, there.select(*each)])
    met = until_landmark(people.filter(~nw.col("contact_id").is_null()), x, landmark)
    return summarise(met, ("deal_id", "contact_id"), _rows="len")


def _threads(x: Facts, strata: Sequence[str]) -> Rows:
    """Per group and stratum the deals at the landmark, their people, and who of the followed ones won."""
    x = x.mark(_people=nw.col("_people").fill_null(0)).keep(nw.col("_n") == 1)
    two = nw.col("_people") >= 2
    x = x.mark(
        _multi=flag(two), _alone=flag(nw.col("_people") == 0), _exposed=masked_sum(two, "_followed"),
        _exposed_won=masked_sum(two, "_won"),
    )  # fmt: skip
    sums = {
        c: (f"_{c}", "sum") for c in ("people", "multi", "alone", "followed", "won", "exposed", "exposed_won")
    }
    return summarise(x.rows, (*x.by, *strata), n="len", **sums)  # type: ignore[arg-type]


def _threading(s: pd.DataFrame) -> Figures:
    """The figures of one group from its strata."""
    names = ("n", "multi", "followed", "won", "exposed", "exposed_won")
    of = {name: float(s[name].sum()) for name in names}
    of |= {"unexposed": of["followed"] - of["exposed"], "unexposed_won": of["won"] - of["exposed_won"]}
    found = adjusted_difference(
        s["exposed_won"], s["exposed"], s["won"] - s["exposed_won"], s["followed"] - s["exposed"]
    )  # fmt: skip
    return of | _compared(of) | {
        "contacts": float(s["people"].sum()) / of["n"] if of["n"] else float("nan"),
        "without_contact": float(s["alone"].sum()),
        "association": found.difference,
        "association_low": found.low,
        "association_high": found.high,
        "p": found.p,
    }  # fmt: skip
