"""What a model reads of the newest candle, without a frame of features for one row of them."""

from pandas import DataFrame, concat

from freqai_signals.dataset.barriers import LabelRule, return_scale
from freqai_signals.plugin.signal_columns import MODEL_HOOKS, SignalColumns
from freqai_signals.schema import RETURN_SCALE_COLUMN


def newest_inputs(strategy: SignalColumns, pair: str, frame: DataFrame) -> DataFrame | None:
    """The last row of a live frame with features and return scale.

    The same as FreqAI's hooks give in that row, but made together with those of the other pairs.

    Parameters
    ----------
    strategy
        Whose hooks make what a model reads.
    pair
        Full name.
    frame
        Its closed candles.

    Returns
    -------
    pandas.DataFrame
        None where hooks of the strategy's own, or FreqAI, change what the model reads.
    """
    own = any(
        getattr(type(strategy), name) is not getattr(SignalColumns, name) for name in MODEL_HOOKS
    )
    if own or strategy.config.get("reduce_df_footprint", False):
        return None
    traded = strategy.dp.current_whitelist()
    features = strategy.features.newest(pair, frame, strategy.pool_candles, traded)
    if features is None:
        return None
    rule = LabelRule.of(strategy.signal_settings, strategy.round_trip_cost(pair))
    # Of all candles: unlike a feature the scale is not rounded, so a shorter frame would show.
    scale = return_scale(frame["close"].to_numpy(float), rule)[-1]
    newest = frame.iloc[-1:]
    inputs: DataFrame = concat([newest, features.set_axis(newest.index)], axis=1)
    return inputs.assign(**{RETURN_SCALE_COLUMN: scale})
