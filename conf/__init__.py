"""Configuration: one YAML file per choice, the types of the run-level keys, and building components."""

from . import schema as schema  # so that Hydra finds it when composing
from . import watch_schema as watch_schema
