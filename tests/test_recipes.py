"""The recipes of doc/developer.rst: each adds a part to its room, and no line elsewhere."""

import os
import signal

import numpy as np
import pytest
from listeners import Listener

from skdbn import DBNClassifier, RBMTransformer, load_model, save_model
from skdbn._maths.boltzmann import hidden_mean, visible_mean
from skdbn._maths.engines import ENGINES
from skdbn._maths.gradients import GRADIENTS
from skdbn._maths.optimizers import OPTIMIZERS, constant
from skdbn._maths.units import UNITS, Units
from skdbn._training.callbacks import HAS_CALLBACKS
from skdbn.datasets import load_digits

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning",
    "ignore::skdbn.NotConvergedWarning",
    "ignore::skdbn.DataRangeWarning",
)
X, X_TEST, Y, _ = load_digits()
X, Y = X[:200], Y[:200]


# -- an optimizer


class Lion:
    """Steps of one length in the direction that the momentum says (Chen et al., 2023)."""

    def __init__(
        self, engine, n_parameters, n_weights, learning_rate, schedule=constant, weight_decay=0.0
    ):
        self.engine, self.learning_rate, self.schedule = engine, learning_rate, schedule
        self.mean, self.n_steps = engine.zeros(n_parameters), 0

    def scale(self, progress):
        return 1.0

    def step(self, parameters, gradients, progress=0.0):
        self.n_steps += 1  # a state of two kinds
        direction = self.engine.xp.sign(0.9 * self.mean + 0.1 * gradients)
        self.mean *= 0.99
        self.mean += 0.01 * gradients
        parameters -= 0.1 * self.learning_rate * self.schedule(progress) * direction

    def get_state(self):
        return {"mean": self.mean.copy(), "n_steps": self.n_steps}

    def set_state(self, state):
        self.mean = self.engine.given(state["mean"], self.mean.shape)
        self.n_steps = state["n_steps"] + 0


# -- an estimator of the gradient


def mean_field_persistence(rbm, phases, chain, n_gibbs_steps=1):
    """Chains that go on, of which every other one moves by its means."""
    v_neg, h_neg = phases.v_neg, phases.h_neg
    hidden_mean(rbm, phases.v_pos, out=phases.h_pos)
    for _ in range(n_gibbs_steps):
        visible_mean(rbm, chain, out=v_neg)
        rbm.visible_units.sample(v_neg[::2].copy(), out=v_neg[::2])
        h = hidden_mean(rbm, v_neg, out=h_neg)
        chain[1::2] = h[1::2]
        rbm.hidden_units.sample(h[::2].copy(), out=chain[::2])
    return chain


# -- a kind of units


class SpinUnits(Units):
    """Units in {-1, 1}."""

    support, binary = (-1.0, 1.0), False

    def base_energy(self, u):
        return 0.0 * u

    def log_partition(self, x):
        return self.engine.softplus(2.0 * x) - x

    def mean(self, x, out=None):
        return self.engine.xp.tanh(x, out=out)

    def input(self, mean):
        return self.engine.xp.arctanh(self.engine.xp.clip(mean, -0.999, 0.999))

    def variance(self, mean, out=None):
        out = self.engine.xp.multiply(mean, mean, out=out)
        return self.engine.xp.subtract(1.0, out, out=out)

    def sample_data(self, u, out=None):
        return self.sample(u, out=out)

    def sample(self, mean, out=None):
        drawn = self.engine.bernoulli(0.5 * (1.0 + mean), out=out)
        drawn *= 2.0
        drawn -= 1.0
        return drawn


# -- an engine


class OtherEngine(ENGINES["numpy"]):
    """Other random numbers, and memory that is never what it was before."""

    def __init__(self, dtype, seed):
        super().__init__(dtype, seed + 1)

    def buffer(self, name, n_rows, n_columns):
        return np.full((n_rows, n_columns), np.nan, self.dtype)


PARTS = {
    "optimizer": (OPTIMIZERS, "lion", Lion),
    "gradient": (GRADIENTS, "mean field", mean_field_persistence),
    "gradient with a state": (GRADIENTS, "ptt", GRADIENTS["ptt"]),
    "visible units": (UNITS, "spin", SpinUnits),
    "hidden units": (UNITS, "spin", SpinUnits),
    "engine": (ENGINES, "numpy", OtherEngine),
}
OPTIONS = {
    "optimizer": {"solver": "lion"},
    "gradient": {"rbm": RBMTransformer(n_iter=2, gradient="mean field")},
    "gradient with a state": {
        "rbm": RBMTransformer(n_iter=2, gradient="ptt", centering=True, sample_visible=True)
    },
    "visible units": {"rbm": RBMTransformer(n_iter=2, visible_units="spin", learning_rate=0.01)},
    "hidden units": {"rbm": RBMTransformer(n_iter=2, hidden_units="spin", learning_rate=0.01)},
    "engine": {},
}


def make_net(**options):
    quick = {"rbm": RBMTransformer(n_iter=2), "softmax_iter": 2, "finetune_iter": 2}
    options = {**quick, "batch_size": 16, "random_state": 0, "early_stopping": True, **options}
    return DBNClassifier((9, 7), **options)


@pytest.fixture(scope="module")
def plain():
    """A net without any new part."""
    return make_net().fit(X, Y)


@pytest.fixture(params=PARTS)
def net(request, plain, monkeypatch):
    """A net that is made with a part that a newcomer wrote."""
    room, name, part = PARTS[request.param]
    monkeypatch.setitem(room, name, part)
    return make_net(**OPTIONS[request.param])


def assert_same_bits(one, other):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    for a, b in zip(one.rbms_, other.rbms_, strict=True):
        np.testing.assert_array_equal(a.components_, b.components_, strict=True)
        assert a.loss_curve_ == b.loss_curve_
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_scores_ == other.validation_scores_


def test_new_part_trains_and_changes_what_is_learned(net, plain):
    net.fit(X, Y)
    assert np.isfinite(net.predict_proba(X_TEST)).all()
    assert (net.coefs_[0] != plain.coefs_[0]).any()


def test_new_part_is_saved_and_loaded(net, tmp_path):
    net.fit(X, Y)
    save_model(net, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X_TEST), net.predict_proba(X_TEST))
    assert_same_bits(
        loaded.set_params(warm_start=True).fit(X, Y), net.set_params(warm_start=True).fit(X, Y)
    )


class Killer(Listener):
    """A callback that ends its process after so many passes, as a power failure would."""

    def __init__(self, n_passes):
        self.n_left = n_passes

    def on_fit_task_end(self, estimator, context):
        self.n_left -= context.task_name == "pass"
        if self.n_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn 1.9 brought callbacks")
@pytest.mark.parametrize("n_passes", [1, 2, 3, 5, 7])  # two for each layer, softmax, fine-tuning
def test_training_with_a_new_part_that_is_killed_resumes_to_the_same_bits(net, n_passes, tmp_path):
    from skdbn import Checkpoint, resume

    path = tmp_path / "checkpoint"
    child = os.fork()
    if child == 0:
        try:
            net.set_callbacks(Checkpoint(path), Killer(n_passes)).fit(X, Y)
        finally:
            os._exit(1)  # whatever went wrong
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert_same_bits(resume(path, X, Y), net.fit(X, Y))


# -- a figure


def test_new_figure_follows_the_recipe():
    import matplotlib.pyplot as plt

    from skdbn.inspection import hidden_activations

    class OnShareDisplay:
        """How often each unit of the top layer is on."""

        def __init__(self, shares):
            self.shares = shares

        @classmethod
        def from_estimator(cls, model, X):
            return cls(hidden_activations(model, X).mean(axis=0)).plot()

        def plot(self, ax=None):
            self.ax_ = plt.subplots()[1] if ax is None else ax
            self.figure_ = self.ax_.figure
            self.bars_ = self.ax_.bar(range(len(self.shares)), self.shares)
            return self

    rbm = RBMTransformer(9, n_iter=2, random_state=0).fit(X)
    display = OnShareDisplay.from_estimator(rbm, X)
    drawn = [bar.get_height() for bar in display.bars_]
    np.testing.assert_allclose(drawn, rbm.transform(X).mean(axis=0), rtol=1e-5)
    plt.close(display.figure_)
