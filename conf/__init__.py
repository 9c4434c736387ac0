"""What to run: one YAML per choice, the types of the run-level keys, and how a choice becomes an object."""

from . import schema as schema  # so that composing finds it
from . import watch_schema as watch_schema
