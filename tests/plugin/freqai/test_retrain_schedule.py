import pytest

from freqai_signals.plugin.freqai.retrain_schedule import RetrainStep, Trained, newest, next_step

HOUR = 3600
PAIRS = tuple(f"{name}/USDT" for name in "ABCDE")


@pytest.mark.parametrize(
    ("own", "pool", "expected"),
    [
        (0, None, RetrainStep.TRAIN),
        (0, Trained("A", 900), RetrainStep.REUSE),
        (500, Trained("A", 900), RetrainStep.REUSE),
        (900, Trained("A", 900), RetrainStep.TRAIN),
        (950, Trained("A", 900), RetrainStep.TRAIN),
    ],
)
def test_only_a_newer_model_is_adopted(
    own: int, pool: Trained | None, expected: RetrainStep
) -> None:
    assert next_step(own, pool, 1000, HOUR) is expected


def test_a_model_that_is_due_itself_is_not_adopted() -> None:
    pool = Trained("A", 1000)
    assert next_step(0, pool, 1000 + HOUR, HOUR) is RetrainStep.REUSE
    assert next_step(0, pool, 1001 + HOUR, HOUR) is RetrainStep.TRAIN


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
        turn = next_step(trained[pair], newest(trained), now, 4 * HOUR)
        if turn is RetrainStep.TRAIN:
            trainings.append(now)
            trained[pair] = now
        else:
            found = newest(trained)
            assert found is not None
            trained[pair] = found.time
        queue.append(queue.pop(0))
    assert len(trainings) == 6
    assert len(set(trained.values())) == 1
