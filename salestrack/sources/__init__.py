"""Reading the systems' files into the canonical tables: text first, everything heavy in DuckDB.

`mapping` says what the files of a system look like (data, not code), `decode` and `locate` find the table
in a file, `text` brings it into DuckDB with its line numbers, `formats` settles numbers and dates by
evidence, `mapped` and `typed` make canonical rows, `written` keeps them and sends the rest to `quarantine`,
`consolidate` keeps the newest version, `build` puts it all together.
"""

from salestrack.sources.doctor import Report
from salestrack.sources.doctor import examine as doctor

__all__ = ["Report", "doctor"]
