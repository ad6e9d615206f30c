"""scikit-learn's own checks, and those it does not run by itself."""

import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.DataRangeWarning",
    "ignore::skdbn.FewLabelsWarning",
    "ignore::skdbn.GrowingWeightsWarning",
    "ignore::skdbn.HiddenUnitsWarning",
    "ignore::skdbn.NotConvergedWarning",
)

FAST = RBMTransformer(n_components=4, n_iter=2, random_state=0)
NETS = [
    kind((4,), rbm=FAST, finetune_iter=3, random_state=0) for kind in (DBNClassifier, DBNRegressor)
]
BARE = {"pretrain": False, "finetune_iter": 10, "dropout": 0.1, "random_state": 0}
ESTIMATORS = [
    RBMTransformer(),
    RBMTransformer(n_components=4, gradient="pcd", n_gibbs_steps=2, n_iter=2),
    RBMTransformer(n_components=4, hidden_units="gaussian", learning_rate=1e-5, n_iter=2),
    RBMTransformer(n_components=4, visible_units="gaussian", n_iter=2),
    DBNClassifier(hidden_layer_sizes=20, **BARE),
    DBNClassifier((4,), rbm=FAST, finetune_iter=10, unlabeled=99, virtual_adversarial=0.5),
    DBNRegressor((4,), finetune_iter=20),
    DBNRegressor(20, loss="absolute_error", **BARE),
    DBNRegressor(20, loss="poisson", **BARE),
]
LONG = [DBNClassifier(), *map(DBNClassifier, [(4,), (16,), (100,)]), DBNRegressor()]
REASON = (
    "Rows of weight 2 and rows that stand there twice are the same in expectation, but not the "
    "same bits: minibatches are shuffled, and states and noise are drawn row by row."
)


def checks_that_fail(estimator):
    """Checks of scikit-learn that no estimator can pass that draws for each row, and why."""
    checks = [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")]
    reasons = dict.fromkeys(checks, REASON)
    if getattr(estimator, "loss", None) == "poisson":
        reasons["check_regressor_multioutput"] = "Its targets are negative, whatever the tags say."
    return reasons


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=checks_that_fail)
def test_estimator_follows_the_conventions(estimator, check):
    check(estimator)


@pytest.mark.exhaustive
@parametrize_with_checks(LONG, expected_failed_checks=checks_that_fail)
def test_net_with_default_passes_follows_them_too(estimator, check):
    check(estimator)


CHECKS_OF_TRANSFORMERS = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
]


@pytest.mark.parametrize("name", CHECKS_OF_TRANSFORMERS)
@pytest.mark.parametrize("estimator", [FAST, *NETS], ids=lambda estimator: type(estimator).__name__)
# The check itself mixes frames and arrays.
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")
def test_transformer_follows_conventions_that_are_not_checked_by_default(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    "name", ["check_dataframe_column_names_consistency", "check_inplace_ensure_writeable"]
)
@pytest.mark.parametrize("net", NETS, ids=lambda net: type(net).__name__)
def test_net_that_stops_early_follows_them_too(net, name):
    net = clone(net).set_params(early_stopping=True)
    getattr(estimator_checks, name)(type(net).__name__, net)
