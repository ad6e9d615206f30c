"""scikit-learn's own checks, and those it does not run by itself."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdbn import DBNClassifier, RBMTransformer

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.DataRangeWarning",
    "ignore::skdbn.GrowingWeightsWarning",
    "ignore::skdbn.HiddenUnitsWarning",
    "ignore::skdbn.NotConvergedWarning",
)

FAST = RBMTransformer(n_components=4, n_iter=2, random_state=0)
ESTIMATORS = [
    RBMTransformer(),
    RBMTransformer(n_components=4, gradient="pcd", n_gibbs_steps=2, n_iter=2),
    RBMTransformer(n_components=4, hidden_units="gaussian", learning_rate=1e-5, n_iter=2),
    RBMTransformer(n_components=4, visible_units="gaussian", n_iter=2),
    DBNClassifier(),
    DBNClassifier((4,)),
    DBNClassifier((16,)),
    DBNClassifier((100,)),
    DBNClassifier(hidden_layer_sizes=20, pretrain=False, dropout=0.1, random_state=0),
]


@parametrize_with_checks(ESTIMATORS)
def test_estimator_follows_the_conventions(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "name",
    [
        "check_set_output_transform",
        "check_set_output_transform_pandas",
        "check_global_output_transform_pandas",
        "check_transformer_get_feature_names_out",
        "check_transformer_get_feature_names_out_pandas",
        "check_get_feature_names_out_error",
        "check_dataframe_column_names_consistency",
        "check_inplace_ensure_writeable",
    ],
)
# The check itself mixes frames and arrays.
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")
def test_transformer_follows_conventions_that_are_not_checked_by_default(name):
    getattr(estimator_checks, name)("RBMTransformer", FAST)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    "name", ["check_dataframe_column_names_consistency", "check_inplace_ensure_writeable"]
)
def test_classifier_follows_conventions_that_are_not_checked_by_default(name, early_stopping):
    net = DBNClassifier((4,), rbm=FAST, early_stopping=early_stopping, random_state=0)
    getattr(estimator_checks, name)("DBNClassifier", net)
