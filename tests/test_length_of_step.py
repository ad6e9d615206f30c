"""The length of a virtual adversarial step of "auto", and the trial that may make it 0."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, make_blobs
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import train_test_split
from test_few_labels import (
    FEW,
    GAPS,
    N_STEPS_OF_TRIAL,
    NAMES,
    OVERLAPPING,
    TRUTH,
    TWO,
    N,
    X,
    Y,
    assert_same,
    net,
    with_few_labels,
)

import skdbn._dbn
from skdbn import DBNClassifier, FewLabelsWarning, RBMTransformer
from skdbn.datasets import load_digits

# Trainings of a pass or two have learned little.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::skdbn.{category}")
    for category in ("FewLabelsWarning", "HiddenUnitsWarning", "NotConvergedWarning")
]
RNG = np.random.default_rng(0)


def length(X, y=Y, **parameters):
    quick = {"rbm": RBMTransformer(n_iter=0), "softmax_iter": 0, "finetune_iter": 0}
    return net(**{**quick, **parameters}).fit(X, y).virtual_adversarial_


@pytest.fixture(autouse=True)
def short_trials(monkeypatch):
    """Let a trial make fewer minibatches, where it is not what a test is about."""
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 100)


@pytest.fixture
def usual_trials(short_trials, monkeypatch):
    """Let a trial make as many minibatches as ever."""
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", N_STEPS_OF_TRIAL)


def take_every_step(monkeypatch):
    """Take the step whatever the trial says, which may be short."""
    monkeypatch.setattr("skdbn._dbn.LEAST_AGREEMENT", -2.0)
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 1)


@pytest.fixture
def always(short_trials, monkeypatch):
    take_every_step(monkeypatch)


def test_length_is_a_share_of_the_distance_between_neighbours(always):
    assert length(np.eye(N)) == pytest.approx(0.3 * np.sqrt(2.0))  # all are equally far
    for sample in (X, RNG.normal(size=(N, 2))):
        model = net().fit(sample, Y)
        seen = (sample - model.offset_) / model.scale_
        nearest = [
            pairwise_distances(seen[order[: N // 2]], seen[order[N // 2 :]]).min(axis=1)
            for order in (RNG.permutation(N) for _ in range(100))
        ]
        medians = 0.3 * np.median(nearest, axis=1)
        assert medians.min() <= model.virtual_adversarial_ <= medians.max()


def test_length_is_in_the_scale_of_what_the_network_sees():
    measured = X[:, :3]
    expected = length(measured)
    assert expected > 0.0
    for other in (1000.0 * measured, measured * [1e-3, 5.0, -2.0] + [7.0, 0.0, -1e3]):
        assert length(other) == pytest.approx(expected, rel=1e-9)
    assert length(csr_matrix(X)) == length(X) > 0.0


def test_length_depends_on_the_seed_alone_and_needs_rows_without_labels(always):
    for seed in (0, 1):
        assert length(X, random_state=seed, sizes=(3, 4)) == length(X, random_state=seed)
    assert length(X, TRUTH) == 0.0
    assert length(X, np.where(np.arange(N) == 0, -1, TRUTH)) > 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_length_skips_rows_that_stand_there_twice(dtype, always):
    few = X[:, :3].astype(dtype)
    few[20:] = few[20]
    assert length(few) > 0.1 * length(few[:20], Y[:20]) > 0.0
    assert length(np.full((N, 3), 0.1, dtype)) == length(np.full((N, 3), 7.3, dtype)) == 0.0


def test_length_of_a_table_in_which_every_row_stands_twice():
    table = (RNG.uniform(size=(300, 3)) < 0.5) * 1.0
    y = np.where(np.arange(300) < 20, table[:, 0], -1)
    assert net().fit(table, y).virtual_adversarial_ == pytest.approx(0.3)


def test_length_of_wide_rows_is_that_of_few_of_them(monkeypatch, always):
    seen = []
    monkeypatch.setattr("skdbn._dbn.MOST_VALUES", 10 * N)
    monkeypatch.setattr("skdbn._dbn.cohen_kappa_score", lambda *y: seen.extend(y) or 1.0)
    assert length(np.eye(N)) == pytest.approx(0.3 * np.sqrt(2.0))
    assert [len(predictions) for predictions in seen] == [10] * 4


def recorded_trials(monkeypatch, change=lambda trial: trial):
    """Record the trials that are made, after a change."""
    trials, try_step = [], skdbn._dbn_base.try_step

    def recorded(*given):
        trials.append(change(try_step(*given)))
        return trials[-1]

    monkeypatch.setattr("skdbn._dbn_base.try_step", recorded)
    return trials


# -- the trial of its step


def kappa(one, other):
    """Cohen's kappa: the share that agrees, beyond that of chance."""
    by_chance = sum((one == i).mean() * (other == i).mean() for i in set(one))
    return ((one == other).mean() - by_chance) / (1.0 - by_chance)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("usual_trials")
@pytest.mark.parametrize(
    ("seed", "n_columns", "finetune_iter"),
    [(0, 10, 3), (1, 10, "auto"), (2, 10, "auto")] + [(seed, 30, "auto") for seed in range(3)],
)
def test_no_step_is_taken_where_no_gap_separates_classes(
    seed, n_columns, finetune_iter, monkeypatch
):
    monkeypatch.setattr(DBNClassifier, "_fewest_steps", 100)
    x = np.random.default_rng(seed).normal(size=(300, n_columns))
    y = with_few_labels((x[:, 0] + x[:, 1] > 0).astype(int), 10, seed)
    model = net(finetune_iter=finetune_iter, batch_size="auto", random_state=seed).fit(x, y)
    assert model.virtual_adversarial_ == 0.0
    assert_same(model, clone(model).set_params(virtual_adversarial=0).fit(x, y))


@pytest.mark.exhaustive
@pytest.mark.usefixtures("usual_trials")
@pytest.mark.parametrize("seed", [2, 6])
def test_step_that_does_harm_after_a_while_is_not_taken(seed):
    # After 1000 minibatches the nets of a trial still agree; in the end it costs 20 or 33 points.
    x, y = load_breast_cancer(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, random_state=seed, stratify=y)
    known, rng = np.full(len(y), -1), np.random.RandomState(seed)
    for label in (0, 1):
        known[rng.choice(np.flatnonzero(y == label), 5, replace=False)] = label
    auto, without = (
        DBNClassifier(unlabeled=-1, virtual_adversarial=length, random_state=seed).fit(x, known)
        for length in ("auto", 0)
    )
    assert auto.score(x_test, y_test) > without.score(x_test, y_test) - 0.05


@pytest.mark.exhaustive
@pytest.mark.usefixtures("usual_trials")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_step_is_taken_where_gaps_separate_classes(seed, monkeypatch):
    x, y = make_blobs(300, 10, centers=3, random_state=seed)
    y = with_few_labels(y, 10, seed)
    model = net(random_state=seed).fit(x, y)
    take_every_step(monkeypatch)
    assert model.virtual_adversarial_ == clone(model).fit(x, y).virtual_adversarial_ > 0.0


@pytest.mark.exhaustive
@pytest.mark.usefixtures("usual_trials")
@pytest.mark.parametrize(
    ("options", "n_passes"),
    [({}, (800, 160)), ({"class_weight": {0: 5.0}, "early_stopping": True}, (54, 11))],
)
def test_trial_is_of_a_net_that_learned_the_rows_with_labels(options, n_passes, monkeypatch):
    if options:  # once with as many minibatches as ever is enough
        monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 200)
    seen, outputs = [], skdbn._dbn.outputs

    def recorded(network, x, out=None):
        if out is not None:  # of the fitted net
            return outputs(network, x, out=out)
        seen.append((x.copy(), outputs(network, x)))
        return seen[-1][1].copy()

    monkeypatch.setattr("skdbn._dbn.outputs", recorded)
    monkeypatch.setattr("skdbn._dbn.LEAST_AGREEMENT", -2.0)
    y = np.where(np.arange(300) < 60, TWO, -1)
    held_out = {"X_val": OVERLAPPING, "y_val": TWO} if options else {}
    model = net(**options).fit(OVERLAPPING, y, **held_out)
    (x, before), (_, tried), (moved, after) = seen

    # The net is that of a fit without the step, of passes that make 3000 minibatches of 16 rows.
    options = {"virtual_adversarial": 0, "finetune_iter": n_passes[0], "early_stopping": False}
    plain = clone(model).set_params(**options).fit(OVERLAPPING, y)
    given = x * plain.scale_ + plain.offset_
    np.testing.assert_allclose(np.sort(given, axis=0), np.sort(OVERLAPPING, axis=0), rtol=1e-9)
    np.testing.assert_allclose(before, plain.predict_proba(given), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        after, plain.predict_proba(moved * plain.scale_ + plain.offset_), rtol=1e-6, atol=1e-9
    )

    # The step is as long as "auto" says, and goes where predictions change the most.
    steps = moved - x
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), model.virtual_adversarial_)
    other = given + RNG.permuted(steps, axis=1) * plain.scale_
    changes = [(before * np.log(before / p)).sum() for p in (after, plain.predict_proba(other))]
    assert changes[0] > 2.0 * changes[1]

    # The other net has made as many minibatches, of all rows, with the step.
    options.update(finetune_iter=n_passes[1], virtual_adversarial=model.virtual_adversarial_)
    both = clone(model).set_params(**options).fit(OVERLAPPING, y)
    np.testing.assert_allclose(tried, both.predict_proba(given), rtol=1e-6, atol=1e-9)

    predictions = [p.argmax(axis=1) for p in (before, tried, after)]
    agreement = min(kappa(predictions[0], other) for other in predictions[1:])
    assert 0.0 < agreement < 1.0
    for least, is_taken in ((agreement - 1e-9, True), (agreement + 1e-9, False)):
        monkeypatch.setattr("skdbn._dbn.LEAST_AGREEMENT", least)
        refitted = clone(model).fit(OVERLAPPING, y, **held_out)
        assert refitted.virtual_adversarial_ == is_taken * model.virtual_adversarial_


def test_trial_leaves_no_trace(monkeypatch, capsys):
    expected = net().fit(X, Y)
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 200)
    model = net(verbose=1).fit(X, Y)
    assert_same(model, expected)
    assert capsys.readouterr().out.count("finetune: pass ") == model.n_iter_ == 3


def test_trial_that_predicts_one_class_takes_no_step_and_does_not_warn():
    # scikit-learn warns of a kappa of a single class.
    assert net(class_weight={1: 0.0}).fit(GAPS, FEW).virtual_adversarial_ == 0.0


@pytest.mark.parametrize(("first", "later"), [(0.5, 0), (0, 0.5), ("auto", 0), ("auto", 0.5)])
def test_given_length_of_a_later_part_is_taken(first, later):
    model = net(finetune_iter=9, virtual_adversarial=first).partial_fit(X, Y)
    model.set_params(virtual_adversarial=later).partial_fit(X, Y)
    assert model.virtual_adversarial_ == later


def test_report_tells_what_a_trial_found(capsys, monkeypatch):
    trials = recorded_trials(monkeypatch)
    model = net(verbose=1, finetune_iter=9).fit(X, Y)
    assert model.partial_fit(X, Y).virtual_adversarial_ > 0.0
    net(verbose=1).partial_fit(OVERLAPPING, FEW)
    net(verbose=1, virtual_adversarial=0.5).fit(X, Y)
    net(verbose=1).fit(X, TRUTH)
    lines = [line for line in capsys.readouterr().out.splitlines() if "step tried" in line]
    assert [trial.length > 0.0 for trial in trials] == [True, False]
    for line, trial in zip(lines, trials, strict=True):
        assert f"step tried: length {trial.length:.3g}, kappa {trial.agreement:.2f}" in line


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trial_of_a_net_of_large_weights_does_not_warn_of_overflow(dtype):
    y = RNG.integers(0, 2, 120)
    x = (RNG.uniform(size=(120, 50)) < 0.2 + 0.6 * y[:, None]).astype(dtype)
    machine = RBMTransformer(6, n_iter=0).fit(x)
    machine.components_ = RNG.normal(size=(6, 50), scale=1000.0).astype(dtype)
    model = net((6,), rbm=[FrozenEstimator(machine)])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model.fit(x, np.where(np.arange(120) < 20, y, -1))
    assert np.isfinite(model.predict_proba(x)).all()


# -- the warning that its predictions are not those of the labelled rows


@pytest.fixture
def few_labels_warnings():
    """Collect the warnings of few labels."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", FewLabelsWarning)
        yield caught


SETTLED = {"rbm": None, "softmax_iter": 100, "finetune_iter": "auto", "batch_size": "auto"}


@pytest.mark.parametrize("container", [np.asarray, csr_matrix])
@pytest.mark.parametrize("most_values", [6 * 40, 10**9])
def test_warning_tells_how_many_rows_got_another_class(
    container, most_values, few_labels_warnings, monkeypatch
):
    monkeypatch.setattr("skdbn._dbn.MOST_VALUES", most_values)
    trials = recorded_trials(monkeypatch)
    model = net(unlabeled="").fit(container(X), NAMES[Y])
    (trial,), (warning,) = trials, few_labels_warnings
    assert len(trial.numbers) == min(N, most_values // 6)
    predicted = model.predict(X[trial.numbers])
    share = (NAMES[trial.predicted] != predicted).mean()
    assert 0.0 < share < 1.0
    assert kappa(trial.predicted, np.searchsorted(model.classes_, predicted)) < 0.65
    assert f"for {share:.0%} of the rows." in str(warning.message)
    assert issubclass(FewLabelsWarning, UserWarning)


def test_warning_can_be_followed(few_labels_warnings):
    model = net().fit(X, Y)
    (warning,) = few_labels_warnings
    assert "Compare with virtual_adversarial=0 on held-out rows with labels" in str(warning.message)
    few_labels_warnings.clear()
    model.set_params(virtual_adversarial=0).fit(X, Y)
    assert not few_labels_warnings


@pytest.mark.exhaustive
@pytest.mark.parametrize(("n_others", "warns"), [(0, False), (30, False), (90, True), (300, True)])
def test_warning_is_of_predictions_that_agree_too_seldom(
    n_others, warns, few_labels_warnings, monkeypatch
):
    def with_others(trial):
        is_other = np.arange(300) < n_others
        return trial._replace(predicted=np.where(is_other, 1 - trial.predicted, trial.predicted))

    recorded_trials(monkeypatch, with_others)
    monkeypatch.setattr(DBNClassifier, "_fewest_steps", 600)
    model = net(**SETTLED).fit(GAPS, FEW)
    assert model.score(GAPS, TWO) == 1.0
    messages = [str(warning.message) for warning in few_labels_warnings]
    assert [f"for {n_others / 300:.0%} of" in message for message in messages] == [True] * warns


DIGITS, _, DIGITS_Y, _ = load_digits()


@pytest.mark.exhaustive
@pytest.mark.usefixtures("usual_trials")
@pytest.mark.parametrize(
    ("seed", "data", "y"),
    [(0, GAPS, FEW), (1, X, Y), (1, DIGITS[:500], with_few_labels(DIGITS_Y[:500], 5, seed=1))],
    ids=["gaps", "table", "digits"],
)
def test_settled_nets_do_not_warn(seed, data, y, few_labels_warnings):
    model = DBNClassifier((30,), unlabeled=-1, random_state=seed).fit(data, y)
    assert model.virtual_adversarial_ > 0.0
    assert not few_labels_warnings


@pytest.mark.parametrize(
    "fit",
    [
        lambda: net(virtual_adversarial=0.15).fit(X, Y),
        lambda: net(finetune_iter=0).fit(X, Y),
        lambda: net().fit(OVERLAPPING, FEW),
        lambda: net().fit(X, TRUTH),
        lambda: net().partial_fit(X, Y),
    ],
    ids=["length given", "no pass", "no step", "no rows without labels", "a part"],
)
def test_warning_is_of_a_fit_whose_step_was_decided_by_a_trial(
    fit, few_labels_warnings, monkeypatch
):
    recorded_trials(monkeypatch, lambda trial: trial._replace(predicted=-1 - trial.predicted))
    fit()
    assert not [w for w in few_labels_warnings if "of the rows" in str(w.message)]


@pytest.mark.parametrize("stops_early", [True, False])
def test_short_fits_warn_too(stops_early, few_labels_warnings, monkeypatch):
    recorded_trials(monkeypatch, lambda trial: trial._replace(predicted=1 - trial.predicted))
    if stops_early:
        model = net(early_stopping=True, n_iter_no_change=1, finetune_iter=90)
        model.fit(GAPS, FEW, X_val=GAPS, y_val=TWO)
        assert model.n_iter_ < 90
    else:
        net(finetune_iter=1).fit(GAPS, FEW)
    assert len(few_labels_warnings) == 1
