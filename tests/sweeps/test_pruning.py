"""The median rule within rivals that take no more."""

from neuro.sweeps.pruning import Rival, hopeless


def rivals(*pairs):
    return [Rival([accuracy / 2, accuracy, accuracy, accuracy], {"slots_mean": slots}) for accuracy, slots in pairs]


FOUR = rivals((0.8, 4), (0.9, 4), (0.7, 8), (0.6, 8))
BOTH = ("accuracy", "slots")


def test_below_the_median_of_rivals_that_take_no_more_is_hopeless():
    said = hopeless(2, 4, 0.74, {"slots_mean": 8}, FOUR, BOTH)
    assert "74.0%" in said and "75.0%" in said and "4 finished runs that take no more (slots_mean)" in said
    assert not hopeless(2, 4, 0.75, {"slots_mean": 8}, FOUR, BOTH)


def test_the_same_epoch_is_compared():
    assert not hopeless(1, 4, 0.38, {"slots_mean": 8}, FOUR, BOTH)
    assert hopeless(1, 4, 0.37, {"slots_mean": 8}, FOUR, BOTH)


def test_runs_that_take_more_are_no_rivals():
    assert not hopeless(2, 4, 0.1, {"slots_mean": 7.9}, FOUR, BOTH)


def test_few_rivals_the_warm_up_and_the_last_epoch_stop_nothing():
    assert not hopeless(2, 4, 0.0, {"slots_mean": 8}, FOUR[:3], BOTH)
    long = [Rival([0.9] * 40, {"slots_mean": 1})] * 4
    assert not hopeless(9, 40, 0.0, {"slots_mean": 8}, long, BOTH)
    assert hopeless(10, 40, 0.0, {"slots_mean": 8}, long, BOTH)
    assert not hopeless(40, 40, 0.0, {"slots_mean": 8}, long, BOTH)


def test_a_grid_compares_accuracy_alone():
    assert hopeless(2, 4, 0.1, {"slots_mean": 1}, FOUR, ())
