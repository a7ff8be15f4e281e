"""From the real data to docs/accuracy.md: what is evaluated, the same in float64, tables, plots."""
