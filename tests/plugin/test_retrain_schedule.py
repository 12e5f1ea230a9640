import pytest

from freqai_signals.plugin.retrain_schedule import Trained, Turn, newest, next_turn

HOUR = 3600
PAIRS = tuple(f"{name}/USDT" for name in "ABCDE")


@pytest.mark.parametrize(
    ("own", "pool", "expected"),
    [
        (0, None, Turn.TRAIN),
        (0, Trained("A", 900), Turn.ADOPT),
        (500, Trained("A", 900), Turn.ADOPT),
        (900, Trained("A", 900), Turn.TRAIN),
        (950, Trained("A", 900), Turn.TRAIN),
    ],
)
def test_only_a_newer_model_is_adopted(own: int, pool: Trained | None, expected: Turn) -> None:
    assert next_turn(own, pool, 1000, HOUR) is expected


def test_a_model_that_is_due_itself_is_not_adopted() -> None:
    pool = Trained("A", 1000)
    assert next_turn(0, pool, 1000 + HOUR, HOUR) is Turn.ADOPT
    assert next_turn(0, pool, 1001 + HOUR, HOUR) is Turn.TRAIN


def test_there_is_no_newest_model_among_none() -> None:
    assert newest({}) is None
    assert newest({"A/USDT": 0}) is None


def test_one_training_a_schedule_serves_all_pairs() -> None:
    """FreqAI's queue: the first pair is asked every minute, and goes last once it has a model."""
    trained = dict.fromkeys(PAIRS, 0)
    queue, trainings = list(PAIRS), []
    for now in range(60, 24 * HOUR, 60):
        pair = queue[0]
        if trained[pair] and now - trained[pair] <= 4 * HOUR:
            continue
        turn = next_turn(trained[pair], newest(trained), now, 4 * HOUR)
        if turn is Turn.TRAIN:
            trainings.append(now)
            trained[pair] = now
        else:
            found = newest(trained)
            assert found is not None
            trained[pair] = found.time
        queue.append(queue.pop(0))
    assert len(trainings) == 6
    assert len(set(trained.values())) == 1
