"""How fast the product is beside what it could be measured by; `README.md` says how to add more.

`python -m benchmarks` runs them.
"""

from __future__ import annotations

from benchmarks import (
    history,
    import_preferences,
    load,
    one_of_many,
    outbox,
    pushes,
    replay,
    send_mail,
    start_up,
    stores,
    traffic,
)
from benchmarks.frame import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    "start-up": start_up.races,
    "one-of-many": one_of_many.races,
    "import": import_preferences.races,
    "stores": stores.races,
    "outbox": outbox.races,
    "replay": replay.races,
    "traffic": traffic.races,
    "load": load.races,
    "pushes": pushes.races,
    "mail": send_mail.races,
    "history": history.races,
}
"""By the name that the command line takes, in the order in which they run."""
