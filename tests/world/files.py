"""The files of an invented company as frames of text."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

EURO = {"EUR": 1.0, "CHF": 1.05, "GBP": 1.17, "USD": 0.92}


class Files:
    """The raw files of a world as frames of text, read once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._read = folder, dict[str, pd.DataFrame]()

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            self._read[name] = self._frame(name)
        return self._read[name]

    def _frame(self, name: str) -> pd.DataFrame:
        path = self.folder / "raw" / "manual" / name
        if name.endswith(".xlsx"):
            return pd.read_excel(path, engine="calamine")
        if name.endswith(".csv"):
            return pd.read_csv(path, sep=";" if name == "costs.csv" else ",", dtype=str)
        return pd.read_csv(
            self.folder / "raw" / "salesforce" / f"{name}.csv", dtype=str, keep_default_na=False
        )

    @property
    def deals(self) -> pd.DataFrame:
        """Opportunities that are not deleted, with typed columns and the amount in euros."""
        deals = self["Opportunity"]
        deals = deals[deals["IsDeleted"] == "false"]
        return deals.assign(
            closed=deals["IsClosed"] == "true",
            won=deals["IsWon"] == "true",
            euros=pd.to_numeric(deals["Amount"]) * deals["CurrencyIsoCode"].map(EURO),
            close=pd.to_datetime(deals["CloseDate"]),
            created=pd.to_datetime(deals["CreatedDate"].str[:10]),
        )

    def hours(self) -> pd.DataFrame:
        """All activities with their kind, owner and hours."""
        tasks, events = self["Task"], self["Event"]
        minutes = pd.to_numeric(tasks["CallDurationInSeconds"]).fillna(0) / 60
        minutes += pd.to_numeric(tasks["Minutes__c"]).fillna(0)
        tasks = tasks.assign(hours=minutes / 60, day=tasks["ActivityDate"])
        events = events.assign(
            hours=pd.to_numeric(events["DurationInMinutes"]) / 60, day=events["ActivityDateTime"].str[:10]
        )
        return pd.concat([tasks, events])[["OwnerId", "WhatId", "Type", "day", "hours"]]
