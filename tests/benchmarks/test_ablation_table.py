"""What a teacher masters without its parts."""

from __future__ import annotations

import numpy as np

from benchmarks.ablation_table import summary


def test_means_ratio_and_students_in_the_order_of_their_ratios() -> None:
    scores = {
        "worse": {"without": np.array([0.0, 0.0]), "whole": np.array([1.0, 1.0])},
        "better": {"without": np.array([31.0, 31.0]), "whole": np.array([3.0, 3.0])},
    }
    # Ratios of 1/2 and 8, whose geometric mean is 2.
    assert summary(scores) == "mean 15.5 of 2.0, ratio 2.00 [0.50, 8.00]; worse: 0 of 1, better: 31 of 3"
