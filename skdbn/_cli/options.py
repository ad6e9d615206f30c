"""The options of the command line.

The rule: an option that sets a parameter of an estimator is an entry of `PARAMETERS`. Without the
option, the parameter keeps the default of the estimator or of a recipe.
"""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer, __version__

MAX_INTEGER = 2**32 - 1  # the largest seed, and more than any other option needs
QUOTED = subprocess.list2cmdline if os.name == "nt" else shlex.join
N_SPLITS = 5  # of the digits: with 360 test rows, a single split says little


def at_least(minimum):
    """Return a parser of integers from `minimum` up."""

    def integer(text):
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if not minimum <= value <= MAX_INTEGER:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not an integer from {minimum} to {MAX_INTEGER}"
            )
        return value

    return integer


def from_zero_up(text):
    """Parse a finite number that is not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number >= 0")
    return value


def or_auto(read):
    """Return a parser of "auto" and of all that another parser accepts."""
    return lambda text: text if text == "auto" else read(text)


class Parameter(NamedTuple):
    """An option that sets a parameter of an estimator."""

    option: str
    estimator: type  # that has the parameter; RBMTransformer stands for the template of all layers
    name: str
    read: object
    help: str
    choices: object = None

    @property
    def key(self):
        """Name of its value among the parsed options."""
        return self.option.replace("-", "_")


COUNT, STEPS = at_least(0), at_least(1)
PASSES, ROWS, SIZE = or_auto(COUNT), or_auto(STEPS), or_auto(from_zero_up)
INTEGERS = (COUNT, STEPS, PASSES, ROWS)
PARAMETERS = (
    Parameter(
        "pretrain-iter", RBMTransformer, "n_iter", COUNT,
        "passes over the data (epochs) for each layer",
    ),
    Parameter("pretrain-learning-rate", RBMTransformer, "learning_rate", SIZE, "learning rate"),
    Parameter(
        "pretrain-weight-decay", RBMTransformer, "weight_decay", from_zero_up,
        "L2 penalty on the weights of each layer",
    ),
    Parameter("pretrain-batch-size", RBMTransformer, "batch_size", ROWS, "rows per minibatch"),
    Parameter(
        "gradient", RBMTransformer, "gradient", str,
        "estimator of the gradient: cd is contrastive divergence, pcd persistent contrastive "
        "divergence, ptt parallel trajectory tempering",
        ("cd", "pcd", "ptt"),
    ),
    Parameter(
        "gibbs-steps", RBMTransformer, "n_gibbs_steps", STEPS,
        "Gibbs steps per minibatch, the k of CD-k",
    ),
    Parameter(
        "visible-units", RBMTransformer, "visible_units", str,
        "kind of the visible units, one per feature: binary for values within [0, 1], gaussian for "
        "measurements on any scale; auto decides for each feature",
        ("auto", "binary", "gaussian"),
    ),
    Parameter(
        "hidden-units", RBMTransformer, "hidden_units", str, "kind of the hidden units",
        ("binary", "gaussian"),
    ),
    Parameter(
        "softmax-iter", DBNClassifier, "softmax_iter", COUNT,
        "passes over the data (epochs) that train only the top layer, before fine-tuning",
    ),
    Parameter(
        "finetune-iter", DBNClassifier, "finetune_iter", PASSES,
        "passes over the data (epochs) that fine-tune all layers by backpropagation",
    ),
    Parameter(
        "batch-size", DBNClassifier, "batch_size", ROWS,
        "rows per minibatch, also in pretraining unless --pretrain-batch-size is given",
    ),
    Parameter(
        "learning-rate-init", DBNClassifier, "learning_rate_init", SIZE,
        "initial learning rate, also for the top layer",
    ),
    Parameter(
        "noise", DBNClassifier, "noise", SIZE,
        "standard deviation of the noise that multiplies hidden units, known as Gaussian dropout",
    ),
    Parameter(
        "input-noise", DBNClassifier, "input_noise", from_zero_up,
        "standard deviation of the noise added to the features",
    ),
    Parameter(
        "adversarial", DBNClassifier, "adversarial", from_zero_up,
        "adversarial training: length of the step that moves each row to increase its loss",
    ),
    Parameter(
        "virtual-adversarial", DBNClassifier, "virtual_adversarial", SIZE,
        "virtual adversarial training: length of the step that moves each row, labelled or not, to "
        "change its prediction",
    ),
    Parameter(
        "label-smoothing", DBNClassifier, "label_smoothing", from_zero_up,
        "share of the probability of each label that is spread evenly over all classes",
    ),
)  # fmt: skip
# Parameters for certain data, unless an option sets them. benchmarks/showcase.py chose those of the
# digits on training rows.
RECIPES = {
    "digits": {
        "layers": [300, 300],
        "finetune_iter": 120,
        "noise": 0.3,
        "input_noise": 0.05,
        "adversarial": 0.5,
    },
    "mnist": {"layers": [500, 500]},
}


def parse(arguments=None):
    """Parse the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments after the command; by default those of the process.

    Returns
    -------
    Namespace
        The options. One that is not given is None, or has its default or the value of a recipe.
        `loads_regressor` tells whether the model of --load predicts numbers.
    """
    parser = argparse.ArgumentParser(
        prog=program(),
        description="Train a deep belief net on your data, and compare it with k-nearest "
        "neighbours on test rows. Values of auto are chosen from the data, as the documentation of "
        "RBMTransformer and DBNClassifier explains.",
    )
    parser.add_argument("--version", action="version", version=f"skdbn {__version__}")
    _add_data(parser.add_argument_group("data"))
    _add_training(parser)
    _add_results(parser.add_argument_group("results"))
    options = parser.parse_args(arguments)
    if options.load is not None and options.checkpoint is not None:
        parser.error("--checkpoint saves a training, but --load trains nothing: omit one of them")
    has_file = options.load is not None or options.checkpoint is not None
    if has_file and options.splits is not None and options.splits > 1:
        parser.error("--load and --checkpoint work on a single split: --splits must be 1")
    of_files = {"label": None, "regress": False, "unlabeled": None}
    for name, default in of_files.items():
        if options.data in RECIPES and getattr(options, name) != default:
            parser.error(f"{options.data} comes with a class label for every row: omit --{name}")
    if options.splits is None:
        options.splits = N_SPLITS if options.data == "digits" and not has_file else 1
    for name, value in RECIPES.get(options.data, {}).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.loads_regressor = False  # unknown until the file is read
    options.arguments = sys.argv[1:] if arguments is None else [str(item) for item in arguments]
    return options


def program():
    """Return the name by which the command was called."""
    return "python -m skdbn" if Path(sys.argv[0]).name == "__main__.py" else "skdbn"


def command(options, option=None, value=None):
    """Return the command line of this run, optionally with one option changed.

    Parameters
    ----------
    options : Namespace
        The parsed options.
    option, value : str, optional
        Option to change, and its new value.

    Returns
    -------
    str
        The command line, quoted for a shell.
    """
    arguments = list(options.arguments)
    if option in arguments:
        arguments[arguments.index(option) + 1] = value
    elif option is not None:
        arguments += [option, value]
    return f"{program()} {QUOTED(arguments)}".strip()


def _add_data(group):
    """Add the options that choose the data."""
    group.add_argument(
        "--data",
        default="digits",
        help="data to train and test on: digits (the default, included in scikit-learn), mnist "
        "(see skdbn.datasets.load_mnist), an .npz or .csv file, a folder with the files of MNIST, "
        "EMNIST or KMNIST, or a folder with train.csv and test.csv, as on Kaggle",
    )
    group.add_argument(
        "--label",
        metavar="NAME",
        help="label column of a .csv file: its name, or its number counted from 1 (default: label)",
    )
    group.add_argument(
        "--image-shape",
        nargs="+",
        type=at_least(1),
        metavar="N",
        help="height and width of the images, followed by 3 for colour images; used for figures "
        "(default: the shape in the file, or square if possible)",
    )
    group.add_argument(
        "--regress",
        action="store_true",
        help="predict numbers (regression) even if all labels are whole numbers; labels with "
        "fractions always mean regression",
    )
    without = group.add_mutually_exclusive_group()
    without.add_argument(
        "--unlabeled",
        metavar="VALUE",
        help="value that marks rows without a label, such as -1, or '' for missing labels; the "
        "net learns from these rows, too",
    )
    without.add_argument(
        "--n-labels",
        type=at_least(1),
        metavar="N",
        help="keep at most N labels of the training rows, the same number for each class, and "
        "learn from the other rows without their labels",
    )
    group.add_argument(
        "--seed", type=at_least(0), default=0, metavar="N", help="random seed (default: 0)"
    )
    group.add_argument(
        "--splits",
        type=at_least(1),
        metavar="N",
        help="number of random splits into training and test rows; the table shows the means over "
        "all splits, and --out saves the model of the first one (default: "
        f"{N_SPLITS} for digits; 1 for other data, and with --checkpoint or --load)",
    )


def _add_training(parser):
    """Add the options that set parameters of the estimators."""
    net = parser.add_argument_group("net")
    layers = " ".join(map(str, DBNClassifier().hidden_layer_sizes))
    net.add_argument(
        "--layers",
        nargs="+",
        type=at_least(1),
        metavar="N",
        help=f"number of units in each hidden layer, from the bottom up (default: {layers}, or "
        f"{DBNRegressor().hidden_layer_sizes[0]} for regression{_of_recipes('layers')})",
    )
    net.add_argument(
        "--no-pretrain",
        action="store_true",
        help="skip pretraining and start from random weights, as a control",
    )
    groups = {
        RBMTransformer: parser.add_argument_group("pretraining"),
        DBNClassifier: parser.add_argument_group("fine-tuning"),
    }
    for parameter in PARAMETERS:
        default = getattr(parameter.estimator(), parameter.name)
        groups[parameter.estimator].add_argument(
            f"--{parameter.option}",
            type=parameter.read,
            choices=parameter.choices,
            metavar=None if parameter.choices else "N" if parameter.read in INTEGERS else "X",
            help=f"{parameter.help} (default: {default}{_of_recipes(parameter.key)})",
        )


def _of_recipes(name):
    """Return the defaults for certain data, as the help lists them."""
    values = {data: recipe[name] for data, recipe in RECIPES.items() if name in recipe}
    return "".join(
        f"; {' '.join(map(str, value)) if isinstance(value, list) else value} for {data}"
        for data, value in values.items()
    )


def _add_results(group):
    """Add the options for results, checkpoints and saved models."""
    group.add_argument(
        "--no-knn", action="store_true", help="do not compare with k-nearest neighbours"
    )
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="save the fitted model, figures of what it learned, index.html and report.json in "
        "this folder: a new or empty one, or that of an earlier run, whose files are replaced",
    )
    group.add_argument("--show", action="store_true", help="show the figures in windows")
    group.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="save the state of training in this file after each pass; if the file already "
        "exists, resume training from it (needs scikit-learn 1.9 or newer)",
    )
    group.add_argument(
        "--load",
        type=Path,
        metavar="FILE",
        help="evaluate a saved model, such as model.npz from an earlier --out, instead of "
        "training; training options have no effect, but pass the same --seed as in training, so "
        "that the same rows are held out",
    )
