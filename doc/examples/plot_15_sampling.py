"""
Samples, and whether they can be trusted
========================================

A machine is a model of its data, so it can draw some. Whether the samples are worth anything
depends on its Markov chains: they must forget where they started. Here are two machines on digits
in black and white, one whose chains do and one whose chains do not.
"""

# %%
from sklearn.frozen import FrozenEstimator

from skdbn import DBNClassifier, RBMTransformer
from skdbn.datasets import load_digits
from skdbn.plotting import MixingDisplay, SampleDisplay

X, X_test, y, _ = load_digits()
X, X_test = (X > 0.5).astype("float32"), (X_test > 0.5).astype("float32")

# %%
# Contrastive divergence sees the model only one step away from the data. In a long training the
# weights grow, and valleys with nothing between them form around the data:
near_data = RBMTransformer(100, n_iter=200, weight_decay=0.0, random_state=0).fit(X)

# %%
# Persistent chains go through the whole model, and what they find away from the data is made less
# probable. First at a high rate, under which the chains move fast, then at a low one:
persistent = RBMTransformer(
    100, gradient="pcd", learning_rate=0.05, n_iter=100, warm_start=True, random_state=0
)
persistent.fit(X).set_params(learning_rate=0.01).fit(X)
for rbm in (near_data, persistent):
    print(f"{rbm.gradient}: pseudo-log-likelihood of test digits {rbm.score(X_test):.1f} nats")

# %%
# Chains from digits and chains from noise, step by step. In the first machine a chain stays near
# its digit: after a thousand steps the states still resemble it.
MixingDisplay.from_estimator(near_data, X, random_state=0)

# %%
# In the second one chains have forgotten their digit after a few dozen steps, and those from noise
# come to the same free energies:
MixingDisplay.from_estimator(persistent, X, random_state=0)

# %%
# Fantasies start at noise. In the first machine they are whatever valley lay near that noise:
SampleDisplay.from_estimator(near_data, random_state=0)

# %%
# In the second they are samples of the model:
SampleDisplay.from_estimator(persistent, random_state=0)

# %%
# A stack has its chain in the top machine, so that is the one that has to mix. Its states go down
# through the layers below, once. ``sample`` returns states, the figure shows what is expected of
# them. Neither needs more than pretraining:
top = RBMTransformer(gradient="pcd", learning_rate=0.005, n_iter=100)
machines = [FrozenEstimator(persistent), top]
net = DBNClassifier((100, 100), rbm=machines, softmax_iter=0, finetune_iter=0, random_state=0)
net.fit(X, y)
print(net.sample(3, random_state=0).shape)
SampleDisplay.from_estimator(net, random_state=0)
