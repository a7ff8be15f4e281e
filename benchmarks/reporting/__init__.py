"""From the JSON of a run to docs/performance.md: reading, tables, plots."""
