"""``python -m conse_fast`` is ``conse-fast``."""

from __future__ import annotations

from conse_fast.cli import main

if __name__ == "__main__":
    main()
