"""What can be said on the command line.

The rule: an option that reaches an estimator is a line of `PARAMETERS`. What is not given is the
estimator's default, or that of a recipe.
"""

import argparse
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer, __version__

MAX_INTEGER = 2**32 - 1  # the largest seed, and more than any other option has a use for
N_SPLITS = 5  # of the digits: with 360 rows for testing, one alone says little


def at_least(minimum):
    """Return a function that reads an integer from `minimum` up."""

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
    """Read a finite number from 0 up."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number from 0 up")
    return value


def or_auto(read):
    """Return a function that reads "auto", or what another one reads."""
    return lambda text: text if text == "auto" else read(text)


class Parameter(NamedTuple):
    """An option that is a parameter of an estimator."""

    option: str
    estimator: type  # whose parameter it is; RBMTransformer stands for the template of the layers
    name: str
    read: object
    help: str
    choices: object = None

    @property
    def key(self):
        """Its name among the options."""
        return self.option.replace("-", "_")


COUNT, STEPS = at_least(0), at_least(1)
PASSES, ROWS, SIZE = or_auto(COUNT), or_auto(STEPS), or_auto(from_zero_up)
INTEGERS = (COUNT, STEPS, PASSES, ROWS)
PARAMETERS = (
    Parameter("pretrain-iter", RBMTransformer, "n_iter", COUNT, "passes for each layer"),
    Parameter("pretrain-learning-rate", RBMTransformer, "learning_rate", SIZE, "step size"),
    Parameter("pretrain-batch-size", RBMTransformer, "batch_size", ROWS, "rows in a minibatch"),
    Parameter("gradient", RBMTransformer, "gradient", str, "its estimator", ("cd", "pcd", "ptt")),
    Parameter("gibbs-steps", RBMTransformer, "n_gibbs_steps", STEPS, "for each minibatch"),
    Parameter(
        "visible-units", RBMTransformer, "visible_units", str, "what features are",
        ("auto", "binary", "gaussian"),
    ),
    Parameter(
        "hidden-units", RBMTransformer, "hidden_units", str, "what hidden units are",
        ("binary", "gaussian"),
    ),
    Parameter("softmax-iter", DBNClassifier, "softmax_iter", COUNT, "passes for the top layer"),
    Parameter("finetune-iter", DBNClassifier, "finetune_iter", PASSES, "passes for all layers"),
    Parameter(
        "batch-size", DBNClassifier, "batch_size", ROWS,
        "rows in a minibatch, of pretraining as well where --pretrain-batch-size is not given",
    ),
    Parameter("learning-rate-init", DBNClassifier, "learning_rate_init", SIZE, "step size"),
    Parameter("noise", DBNClassifier, "noise", SIZE, "noise of hidden units"),
    Parameter("input-noise", DBNClassifier, "input_noise", from_zero_up, "noise of features"),
    Parameter(
        "adversarial", DBNClassifier, "adversarial", from_zero_up,
        "length of a step towards a larger loss",
    ),
    Parameter(
        "virtual-adversarial", DBNClassifier, "virtual_adversarial", SIZE,
        "length of a step towards another prediction",
    ),
    Parameter(
        "label-smoothing", DBNClassifier, "label_smoothing", from_zero_up,
        "share of each label that is spread over all classes",
    ),
)  # fmt: skip
# Data that are trained on with parameters of their own, where no option says otherwise. Those of
# the digits were chosen on training rows, by benchmarks/showcase.py.
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
    """Return the options.

    Parameters
    ----------
    arguments : list of str, optional
        What stands behind the command; by default what the process was given.

    Returns
    -------
    Namespace
        The options; what was not given is None, the default, or that of a recipe.
    """
    parser = argparse.ArgumentParser(
        prog=program(),
        description="Train a deep belief net and compare it with nearest neighbours.",
    )
    parser.add_argument("--version", action="version", version=f"skdbn {__version__}")
    _add_data(parser.add_argument_group("data"))
    _add_training(parser)
    _add_results(parser.add_argument_group("results"))
    options = parser.parse_args(arguments)
    if options.load is not None and options.checkpoint is not None:
        parser.error("--load trains nothing, so that --checkpoint has nothing to write")
    has_file = options.load is not None or options.checkpoint is not None
    if has_file and options.splits is not None and options.splits > 1:
        parser.error("the file of --load or --checkpoint holds one net: --splits must be 1")
    of_files = {"label": None, "regress": False, "unlabeled": None}
    for name, default in of_files.items():
        if options.data in RECIPES and getattr(options, name) != default:
            parser.error(f"all rows of {options.data} have their classes: omit --{name}")
    if options.splits is None:
        options.splits = N_SPLITS if options.data == "digits" and not has_file else 1
    for name, value in RECIPES.get(options.data, {}).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.arguments = sys.argv[1:] if arguments is None else [str(item) for item in arguments]
    return options


def program():
    """Return the name of the command."""
    return "python -m skdbn" if Path(sys.argv[0]).name == "__main__.py" else "skdbn"


def command(options, option=None, value=None):
    """Return the command that was given, perhaps with another value of an option.

    Parameters
    ----------
    options : Namespace
        The options.
    option, value : str, optional
        What is to be different.

    Returns
    -------
    str
        What a shell takes.
    """
    arguments = list(options.arguments)
    if option in arguments:
        arguments[arguments.index(option) + 1] = value
    elif option is not None:
        arguments += [option, value]
    return f"{program()} {shlex.join(arguments)}".strip()


def _add_data(group):
    """Add the options that say what is learned."""
    group.add_argument(
        "--data",
        default="digits",
        help="digits (default; comes with scikit-learn), mnist (see skdbn.datasets.load_mnist), "
        "an .npz or a .csv file, a folder with the files of MNIST, EMNIST or KMNIST, or a folder "
        "with train.csv and test.csv",
    )
    group.add_argument(
        "--label",
        metavar="NAME",
        help="name of the column of labels of a .csv file, or its number, from 1 (default: label)",
    )
    group.add_argument(
        "--image-shape",
        nargs="+",
        type=at_least(1),
        metavar="N",
        help="height and width of the images, and 3 of colours, for the figures (default: as the "
        "file says, or square)",
    )
    group.add_argument(
        "--regress",
        action="store_true",
        help="predict whole numbers as numbers and not as classes; numbers with fractions always "
        "are",
    )
    without = group.add_mutually_exclusive_group()
    without.add_argument(
        "--unlabeled",
        metavar="VALUE",
        help="what marks rows without a label, from which the net learns as well; '' if it is "
        "missing",
    )
    without.add_argument(
        "--n-labels",
        type=at_least(1),
        metavar="N",
        help="keep the labels of so many training rows, as many of each class, and learn from the "
        "others without theirs",
    )
    group.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="default: 0")
    group.add_argument(
        "--splits",
        type=at_least(1),
        metavar="N",
        help="random splits into training and test rows, of which the table shows the mean; --out "
        f"is about the first (default: {N_SPLITS} for digits, 1 for other data and with "
        "--checkpoint or --load)",
    )


def _add_training(parser):
    """Add the options that are parameters of the estimators."""
    net = parser.add_argument_group("net")
    layers = " ".join(map(str, DBNClassifier().hidden_layer_sizes))
    net.add_argument(
        "--layers",
        nargs="+",
        type=at_least(1),
        metavar="N",
        help=f"units of each hidden layer (default: {layers}, or "
        f"{DBNRegressor().hidden_layer_sizes[0]} to predict numbers{_of_recipes('layers')})",
    )
    net.add_argument(
        "--no-pretrain", action="store_true", help="start from random weights: the control"
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
    """Return what the help says of the defaults of some data."""
    values = {data: recipe[name] for data, recipe in RECIPES.items() if name in recipe}
    return "".join(
        f"; {' '.join(map(str, value)) if isinstance(value, list) else value} for {data}"
        for data, value in values.items()
    )


def _add_results(group):
    """Add the options that say what becomes of the net."""
    group.add_argument(
        "--no-knn", action="store_true", help="do not compare with nearest neighbours"
    )
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the fitted model, report.json and figures of what was learned: a new or "
        "an empty one, or that of an earlier run, whose files are replaced",
    )
    group.add_argument("--show", action="store_true", help="open the figures in windows")
    group.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="write the state of training to this file after each pass, and go on from it when it "
        "is there (needs scikit-learn 1.9)",
    )
    group.add_argument(
        "--load",
        type=Path,
        metavar="FILE",
        help="evaluate the model.npz of an earlier --out instead of training; options of training "
        "do not matter then, but give the same --seed, which says what is held out",
    )
