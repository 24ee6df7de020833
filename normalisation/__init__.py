"""How values are scaled: transforms, exact mergeable statistics, export to Aurora."""

from aurora_prep.normalisation.aurora import Comparison, compare_aurora, to_aurora
from aurora_prep.normalisation.field_statistics import FieldStatistics
from aurora_prep.normalisation.histogram import Histogram
from aurora_prep.normalisation.passes import reduce_changes, reduce_fields
from aurora_prep.normalisation.reduction import FieldReduction, reduce_difference, reduce_field
from aurora_prep.normalisation.shard import FieldName, ShardStatistics
from aurora_prep.normalisation.splits import pairs, require_separate
from aurora_prep.normalisation.statistics import Statistics, finish
from aurora_prep.normalisation.weights import area_weights

__all__ = [
    "Comparison",
    "FieldName",
    "FieldReduction",
    "FieldStatistics",
    "Histogram",
    "ShardStatistics",
    "Statistics",
    "area_weights",
    "compare_aurora",
    "finish",
    "pairs",
    "reduce_changes",
    "reduce_difference",
    "reduce_field",
    "reduce_fields",
    "require_separate",
    "to_aurora",
]
