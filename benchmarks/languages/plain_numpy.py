"""A deep belief net in NumPy as a beginner writes it: matrices, and a loop over minibatches.

    python plain_numpy.py FOLDER

inputs.py says what is in FOLDER. One line is printed for each pass: phase, pass, loss, seconds,
seconds of the processor.
"""

import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

folder = Path(sys.argv[1])
settings = {}
for line in (folder / "settings.txt").read_text().splitlines():
    name, value = line.split()
    settings[name] = float(value) if "." in value else int(value)
n_rows, batch_size = settings["n_rows"], settings["batch_size"]
sizes = np.loadtxt(folder / "sizes.txt", dtype=int)
n_classes = sizes[-1]

X = np.fromfile(folder / "X_train.bin", np.uint8).reshape(n_rows, -1) / 255
X_test = np.fromfile(folder / "X_test.bin", np.uint8).reshape(settings["n_test"], -1) / 255
y = np.fromfile(folder / "y_train.bin", np.uint8)
y_test = np.fromfile(folder / "y_test.bin", np.uint8)
starts = open(folder / "starts.bin", "rb")
orders = open(folder / "orders.bin", "rb")
has_uniforms = (folder / "uniforms.bin").exists()
if has_uniforms:
    uniforms = open(folder / "uniforms.bin", "rb")


def read_start(n_in, n_out):
    return np.fromfile(starts, float, n_in * n_out).reshape(n_in, n_out)


def read_order():
    return np.fromfile(orders, np.int32, n_rows)


def random(n, m):
    if has_uniforms:
        return np.fromfile(uniforms, float, n * m).reshape(n, m)
    return np.random.rand(n, m)


def report(phase, i, loss, started, cpu_started):
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    print(f"{phase},{i + 1},{loss:.17g},{seconds:.6f},{cpu:.6f}", flush=True)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    x = np.exp(x - x.max(axis=1, keepdims=True))
    return x / x.sum(axis=1, keepdims=True)


def train_machine(X, weights, phase):
    visible = np.zeros(weights.shape[0])
    hidden = np.zeros(weights.shape[1])
    velocity = np.zeros(weights.shape)
    velocity_visible = np.zeros(visible.shape)
    velocity_hidden = np.zeros(hidden.shape)
    rate, decay = settings["rate"], settings["weight_decay"]
    for i in range(settings["n_pretrain"]):
        started, cpu_started = time.perf_counter(), time.process_time()
        momentum = 0.5 if i < 5 else 0.9
        order = read_order()
        for first in range(0, n_rows, batch_size):
            v = X[order[first : first + batch_size]]
            h = logistic(v @ weights + hidden)
            states = random(*h.shape) < h
            v_model = logistic(states @ weights.T + visible)
            h_model = logistic(v_model @ weights + hidden)
            gradient = (v.T @ h - v_model.T @ h_model) / batch_size
            velocity = momentum * velocity + rate * (gradient - decay * weights)
            velocity_visible = momentum * velocity_visible + rate * (v - v_model).mean(axis=0)
            velocity_hidden = momentum * velocity_hidden + rate * (h - h_model).mean(axis=0)
            weights = weights + velocity
            visible = visible + velocity_visible
            hidden = hidden + velocity_hidden
        v = X[: settings["n_watched"]]
        h = logistic(v @ weights + hidden)
        loss = ((v - logistic(h @ weights.T + visible)) ** 2).mean()
        report(phase, i, loss, started, cpu_started)
    return weights, hidden


def forward(weights, intercepts, x):
    activations = [x]
    for i in range(len(weights)):
        x = x @ weights[i] + intercepts[i]
        x = logistic(x) if i < len(weights) - 1 else softmax(x)
        activations.append(x)
    return activations


def adam(parameter, gradient, state, step):
    state["mean"] = 0.9 * state["mean"] + 0.1 * gradient
    state["square"] = 0.999 * state["square"] + 0.001 * gradient**2
    mean, square = state["mean"] / (1 - 0.9**step), state["square"] / (1 - 0.999**step)
    return parameter - settings["adam_rate"] * mean / (np.sqrt(square) + 1e-8)


def train_network(weights, intercepts, X, phase, n_passes):
    n, step = len(weights), 0
    states_weights = [{"mean": 0 * w, "square": 0 * w} for w in weights]
    states_intercepts = [{"mean": 0 * b, "square": 0 * b} for b in intercepts]
    for i_pass in range(n_passes):
        started, cpu_started = time.perf_counter(), time.process_time()
        order = read_order()
        loss = 0
        for first in range(0, n_rows, batch_size):
            rows = order[first : first + batch_size]
            target = np.eye(n_classes)[y[rows]]
            activations = forward(weights, intercepts, X[rows])
            output = activations[-1]
            loss = loss - np.log(output[target == 1]).sum() / n_rows
            delta = (output - target) / batch_size
            gradients_weights, gradients_intercepts = [None] * n, [None] * n
            for i in reversed(range(n)):
                h = activations[i]
                gradients_weights[i] = h.T @ delta
                gradients_intercepts[i] = delta.sum(axis=0)
                if i > 0:
                    delta = (delta @ weights[i].T) * h * (1 - h)
            step = step + 1
            for i in range(n):
                weights[i] = adam(weights[i], gradients_weights[i], states_weights[i], step)
                intercepts[i] = adam(
                    intercepts[i], gradients_intercepts[i], states_intercepts[i], step
                )
        report(phase, i_pass, loss, started, cpu_started)


weights, intercepts, features = [], [], X
for i in range(len(sizes) - 2):
    start = read_start(sizes[i], sizes[i + 1])
    w, b = train_machine(features, start, f"pretrain layer {i + 1}")
    weights.append(w)
    intercepts.append(b)
    features = logistic(features @ w + b)
top, top_intercept = [read_start(features.shape[1], n_classes)], [np.zeros(n_classes)]
train_network(top, top_intercept, features, "softmax", settings["n_softmax"])
weights, intercepts = weights + top, intercepts + top_intercept
train_network(weights, intercepts, X, "finetune", settings["n_finetune"])

output = forward(weights, intercepts, X_test)[-1]
output.tofile(folder / "probabilities.bin")
print("error", (output.argmax(axis=1) != y_test).mean())
(pool,) = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
print("blas", pool["internal_api"], pool["version"], pool["architecture"])
print("version NumPy", np.__version__)
