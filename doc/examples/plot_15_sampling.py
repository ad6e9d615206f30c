"""
Samples, and whether to trust them
==================================

A machine is a model of its data, so it can generate samples. Whether these are worth anything
depends on its Markov chains: they must forget where they started. Here are two machines trained on
black-and-white digits, one whose chains forget and one whose chains do not.
"""

# %%
from sklearn.frozen import FrozenEstimator

from skdbn import DBNClassifier, RBMTransformer
from skdbn.datasets import load_digits
from skdbn.plotting import MixingDisplay, SampleDisplay

X, X_test, y, _ = load_digits()
X, X_test = (X > 0.5).astype("float32"), (X_test > 0.5).astype("float32")

# %%
# Contrastive divergence explores the model only one step away from the data. In a long training the
# weights grow, and isolated valleys of low energy form around the data:
near_data = RBMTransformer(100, n_iter=200, weight_decay=0.0, random_state=0).fit(X)

# %%
# Persistent chains wander through the whole model, and what they find away from the data is made
# less probable. Training begins with a high rate, which keeps the chains moving, and ends with a
# low one:
persistent = RBMTransformer(
    100, gradient="pcd", learning_rate=0.05, n_iter=100, warm_start=True, random_state=0
)
persistent.fit(X).set_params(learning_rate=0.01).fit(X)
for rbm in (near_data, persistent):
    print(f"{rbm.gradient}: pseudo-log-likelihood of test digits {rbm.score(X_test):.1f} nats")

# %%
# Follow chains that start at digits and chains that start at noise. In the first machine a chain
# stays near its digit: after a thousand steps, its states still resemble it.
MixingDisplay.from_estimator(near_data, X, random_state=0)

# %%
# In the second machine, chains have forgotten their digit after a few dozen steps, and chains that
# start at noise reach the same free energies:
MixingDisplay.from_estimator(persistent, X, random_state=0)

# %%
# Samples start at noise. In the first machine they show whichever valley was near that noise:
SampleDisplay.from_estimator(near_data, random_state=0)

# %%
# In the second machine they are samples from the model:
SampleDisplay.from_estimator(persistent, random_state=0)

# %%
# In a stack the chain runs in the top machine, so that is the one that has to mix. Its states go
# down through the layers below once. ``sample`` draws states in each of them, the figure takes
# expected values. Neither requires more than pretraining:
top = RBMTransformer(gradient="pcd", learning_rate=0.005, n_iter=100)
machines = [FrozenEstimator(persistent), top]
net = DBNClassifier((100, 100), rbm=machines, softmax_iter=0, finetune_iter=0, random_state=0)
net.fit(X, y)
print(net.sample(3, random_state=0).shape)
SampleDisplay.from_estimator(net, random_state=0)
