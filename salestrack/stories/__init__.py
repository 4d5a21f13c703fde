"""What the pages say: small pure functions that turn tables of figures into sentences and rules."""
