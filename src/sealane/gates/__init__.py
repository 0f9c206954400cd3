"""Rules over results: what must hold for a pipeline to pass."""

from sealane.gates.policy import Policy
from sealane.gates.rules import Gate, Verdict, evaluate

__all__ = ["Gate", "Policy", "Verdict", "evaluate"]
