"""
Choosing between machines
=========================

Which of several machines models the data best? The reconstruction error does not tell, and neither
does the pseudo-likelihood. The log-likelihood of held-out rows does. It compares machines of any
size and training.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from skdbn import RBMTransformer
from skdbn.datasets import load_digits

X, X_val, _, _ = load_digits()
X, X_val = X >= 0.5, X_val >= 0.5  # a likelihood is one of zeros and ones
SIZES = 16, 40, 100
trainings = {
    "cd": {"gradient": "cd"},
    "pcd": {"gradient": "pcd", "n_gibbs_steps": 5, "learning_rate": 0.02, "n_iter": 40},
}
machines, results = {}, {}
print("training  units   error  pseudo-likelihood  log-likelihood  of training rows   method")
for name, parameters in trainings.items():
    for size in SIZES:
        rbm = RBMTransformer(size, random_state=0, **parameters).fit(X)
        log_z = rbm.log_partition(n_temperatures=500, random_state=0)
        bounds = (log_z.upper, log_z.value, log_z.lower)
        low, score, high = (rbm.log_likelihood(X_val, bound).mean() for bound in bounds)
        machines[name, size], results[name, size] = rbm, (low, score, high)
        print(
            f"{name:8} {size:6} {rbm.loss_curve_[-1]:7.4f} {rbm.score(X_val):18.2f} "
            f"{score:15.2f} {rbm.log_likelihood(X, log_z).mean():17.2f}   {log_z.method}"
        )

# %%
# With contrastive divergence, more units reconstruct better and model the data worse: most of the
# probability goes where no digit is. Persistent chains leave a higher error and a higher
# likelihood. The pseudo-likelihood is highest for a machine that the likelihood ranks fourth.
#
# With 16 hidden units the partition function is a sum over all states, and exact. The others are
# estimated from both directions; the bars show their bounds.
figure, ax = plt.subplots(layout="constrained")
for name in trainings:
    low, score, high = np.transpose([results[name, size] for size in SIZES])
    ax.errorbar(SIZES, score, [score - low, high - score], capsize=4, marker="o", label=name)
ax.set(xlabel="hidden units", xticks=SIZES, ylabel="log-likelihood of held-out rows, nats")
ax.legend()

# %%
# A machine draws what it holds probable. The best one draws blurred digits,
from skdbn.plotting import SampleDisplay

best = max(results, key=lambda key: results[key][1])
print("best:", best)
SampleDisplay.from_estimator(machines[best], random_state=0)

# %%
# and the largest one of contrastive divergence something that it never saw.
SampleDisplay.from_estimator(machines["cd", 100], random_state=0)

# %%
# Does a second layer help? The likelihood of a stack is known by a lower bound alone. If the bound
# is above the likelihood of the first machine, the stack is the better model.
from sklearn.frozen import FrozenEstimator

from skdbn import DBNClassifier

first = machines[best]
features = np.random.default_rng(0).random((len(X), best[1])) < first.transform(X)
second = RBMTransformer(40, random_state=0, **trainings["pcd"]).fit(features)
stack = DBNClassifier(
    (best[1], 40),
    rbm=[FrozenEstimator(first), FrozenEstimator(second)],
    softmax_iter=0,
    finetune_iter=0,
    random_state=0,
).fit(X, np.arange(len(X)) % 2)  # a net has targets, which its machines do not see
log_z = stack.rbms_[-1].log_partition(n_temperatures=500, random_state=0)
bound = stack.log_likelihood_bound(X_val, log_z, random_state=0).mean()
print(f"bound of the stack {bound:.2f}, its first machine {results[best][1]:.2f} nats")

# %%
# Here it is a little below, so that nothing speaks for the second layer.
