"""Drawing rows as images or heat maps that share a scale.

The rule: Matplotlib is imported only when something is drawn.
"""

import itertools
import math
import re
import textwrap
from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import numpy as np

GRAY = "gray"  # default colour map
SMALLEST_SIDE = 3  # pixels, of an image whose shape is inferred
GAP = 1  # pixels between images
SHARE_IN_SCALE = 0.995  # of values around 0; the others get the colours of its ends
SHARE_OF_WIDTH = 0.9  # of a figure beside the colour bar
WIDTH = 9.0  # inches
INCHES_OF_NAMES = 1.2  # below a heat map
MOST_NAMES, LONGEST_NAME = 45, 24  # of columns below a heat map
LOWEST = 1.5  # inches of axes, which the label of a colour bar needs
BETWEEN_AXES = 0.65  # inches for a title and the label of the axis above it
COLOUR_BAR = 0.7  # inches of a colour bar with its numbers
CHARACTER = 0.085  # inches of a character of a title, beside a colour bar
LINE_OF_TITLE = 0.17  # inches
LINE = 0.14  # inches of a line of text over an image
LONGEST_LABEL = 11  # characters of a line over an image


# -- images or heat maps


def image_shape_of(n_features, image_shape=None, names=None):
    """Return the image shape of a row, or None if rows are not images.

    Parameters
    ----------
    n_features : int
        Number of features.
    image_shape : tuple of int or False, default=None
        The shape, or False if rows are not images. By default a square number of features is taken
        for a square image, unless the names show that they are not pixels.
    names : sequence of str of shape (n_features,), default=None
        Names of the features. Names of pixels differ only in their numbers, as in pixel_0_7.

    Returns
    -------
    tuple of int or None
        Height and width, followed by 3 for colour images.

    Raises
    ------
    ValueError
        If `image_shape` is invalid.

    Examples
    --------
    >>> from skdbn.plotting import image_shape_of
    >>> image_shape_of(64)
    (8, 8)
    >>> image_shape_of(13)
    """
    if image_shape is False:
        return None
    if image_shape is None:
        side = math.isqrt(n_features)
        is_square = side >= SMALLEST_SIDE and side * side == n_features
        kinds = set() if names is None else {re.sub(r"\d+", "", str(name)) for name in names}
        return (side, side) if is_square and len(kinds) <= 1 else None
    shape = tuple(image_shape) if isinstance(image_shape, Sequence | np.ndarray) else ()
    are_whole = all(isinstance(length, Integral) for length in shape)
    is_image = are_whole and len(shape) in (2, 3) and shape[2:] in ((), (3,)) and min(shape) > 0
    if not (is_image and math.prod(shape) == n_features):
        raise ValueError(
            f"image_shape == {image_shape!r}, must be (height, width) or (height, width, 3) with "
            f"{n_features} values in all, one for each feature, or False if rows are not images."
        )
    return shape


class Look(NamedTuple):
    """How rows are drawn: as images or as the lines of a heat map.

    Attributes
    ----------
    image_shape : tuple of int or None
        Shape of an image, or None for a heat map.
    columns : VisibleColumns or None
        Names and scales of the columns of a heat map.
    cmap : str or Colormap
        Colour map.
    """

    image_shape: object
    columns: object
    cmap: object

    @property
    def is_standardized(self):
        """Whether each column is drawn in standard deviations of its own."""
        columns = self.columns
        return (
            self.image_shape is None
            and columns is not None
            and columns.visible_units is not None
            and not (columns.visible_units == "binary").all()
        )

    def standardized(self, rows, are_differences=False):
        """Return rows as they are drawn: images and probabilities unchanged."""
        if not self.is_standardized:
            return rows
        _, kinds, offset, scale = self.columns
        # The largest standard deviation that zeros and ones can have is 0.5, around 0.5.
        offset, scale = (np.where(kinds == "binary", 0.5, part) for part in (offset, scale))
        return (rows if are_differences else rows - offset) / scale

    def scale(self, drawn, are_differences=False):
        """Return the ends of the scale, which of its ends are open, and its label."""
        what = "difference of value" if are_differences else "value"
        if self.is_standardized:
            what, of_binary = "standard deviations\nfrom the column mean", "0 is -1, 1 is 1"
            if are_differences:
                what = "difference in standard\ndeviations of a column"
                of_binary = "from 0 to 1 is 2"
            if (self.columns.visible_units == "binary").any():
                what += f"\n(binary columns:\n{of_binary})"
        if are_differences or self.is_standardized:
            return _symmetric_limits(drawn), "both", what
        return limits_of(drawn), "neither", what


def look_of(display, n_features, cmap):
    """Return how a Display draws its rows."""
    columns = display.columns
    names = None if columns is None else columns.names
    return Look(image_shape_of(n_features, display.image_shape, names), columns, cmap)


def named(columns, feature_names):
    """Return columns with the names given by the user, if any."""
    if feature_names is None:
        return columns
    names = np.asarray(feature_names, dtype=object)
    if names.shape != columns.offset.shape:
        raise ValueError(
            f"feature_names has {len(feature_names)} names, must have {len(columns.offset)}, one "
            "for each column that is drawn."
        )
    return columns._replace(names=names)


# -- scales


def limits_of(values):
    """Return the ends of a scale that spans all values; [0, 1] if they lie within it."""
    low, high = float(np.min(values)), float(np.max(values))
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return low, high if high > low else low + 1.0


def _symmetric_limits(values):
    """Return the ends of a scale around 0 that excludes the few largest values.

    They would turn all others grey; pointed ends of the colour bar show it.
    """
    sizes = np.abs(values)
    high = float(np.quantile(sizes, SHARE_IN_SCALE) or sizes.max()) or 1.0
    return -high, high


def state_scale(figure, image, axes, label, extend="neither"):
    """Add a colour bar that states the common scale of the axes."""
    room = {"fraction": 0.02, "pad": 0.01, "aspect": 30, "panchor": False}  # titles stay centred
    if not _is_constrained(figure):  # nothing else makes room for the numbers and the label
        boxes = [axis.get_window_extent() for axis in axes]
        inches = (max(box.x1 for box in boxes) - min(box.x0 for box in boxes)) / figure.dpi
        needed = COLOUR_BAR + LINE * len(label.split("\n"))
        room["fraction"] = min(0.5, needed / inches)
    bar = figure.colorbar(image, ax=list(axes), extend=extend, **room)
    bar.set_label(label, fontsize="medium" if "\n" not in label else "small")
    return bar


# -- axes


def new_axes(ax, heights, width=WIDTH, n_columns=1, below=0.0, n_axes=None):
    """Return a figure and axes in rows of the given heights, with space below, in inches.

    Given axes are used instead: as many as are needed, or a single one to divide among them. With
    `n_axes`, the last row has fewer.
    """
    import matplotlib.pyplot as plt

    n_axes = n_axes or len(heights) * n_columns
    if ax is None:
        figure, axes = plt.subplots(
            len(heights),
            n_columns,
            figsize=(width, sum(heights) + 0.3 + below),
            height_ratios=heights,
            squeeze=False,
            layout="constrained",
        )
        for place in axes.ravel()[n_axes:]:
            place.remove()
        return figure, axes.ravel()[:n_axes]
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(axes) == 1 < n_axes:
        axes = _subdivided(axes[0], heights, n_columns, n_axes)
    if len(axes) != n_axes:
        raise ValueError(
            f"ax has {len(axes)} axes, but this figure needs {n_axes}, or a single one to divide "
            "among them."
        )
    return axes[0].figure, axes


def _is_constrained(figure):
    """Tell whether the layout of a figure moves all axes apart."""
    engine = figure.get_layout_engine()
    return engine is not None and not engine.adjust_compatible


def width_of(ax):
    """Return the width of an axes in inches."""
    return ax.get_window_extent().width / ax.figure.dpi


def _subdivided(ax, heights, n_columns, n_axes):
    """Return axes in rows of the given heights in place of one, which becomes invisible."""
    shape, spec = (len(heights), n_columns), ax.get_subplotspec()
    spaces = {"height_ratios": heights}
    if not _is_constrained(ax.figure):  # otherwise the layout spaces them
        height = ax.get_window_extent().height / ax.figure.dpi
        left = max(height - (len(heights) - 1) * BETWEEN_AXES, height / 4)  # for the axes
        spaces["hspace"] = max(0.6, BETWEEN_AXES * len(heights) / left)
    if spec is not None:
        grid = spec.subgridspec(*shape, **spaces)
    else:
        left, bottom, right, top = ax.get_position().extents
        grid = ax.figure.add_gridspec(
            *shape, left=left, bottom=bottom, right=right, top=top, **spaces
        )
    ax.set_axis_off()
    places = itertools.islice(grid, n_axes)
    return np.array([ax.figure.add_subplot(place) for place in places], dtype=object)


# -- drawing


def _montage(rows, image_shape, n_columns, above=0):
    """Return images side by side in one array, with NaN between them.

    Each has `above` more pixels above it.
    """
    height, width, *channels = image_shape
    n_rows = math.ceil(len(rows) / n_columns)
    step_down, step_right = height + GAP + above, width + GAP
    canvas = np.full((n_rows * step_down - GAP, n_columns * step_right - GAP, *channels), np.nan)
    for i, image in enumerate(rows.reshape(-1, *image_shape)):
        top, left = i // n_columns * step_down + above, i % n_columns * step_right
        canvas[top : top + height, left : left + width] = image
    return canvas


def draw(ax, rows, look, n_columns, limits, title, above=0, is_given=False):
    """Draw rows as a montage of images, or as a heat map, on an axes, perhaps given by the user."""
    low, high = limits
    canvas = rows
    if look.image_shape is not None:
        canvas = _montage(rows, look.image_shape, n_columns, above)
    if canvas.ndim == 3:  # colours are drawn unchanged
        canvas = np.nan_to_num(np.clip((canvas - low) / (high - low), 0.0, 1.0), nan=1.0)
    image = ax.imshow(
        canvas,
        cmap=look.cmap,
        vmin=low,
        vmax=high,
        interpolation="nearest",
        aspect="auto" if look.image_shape is None else "equal",
    )
    if is_given:
        title = _fitted(title, ax)
    ax.set_title(title, fontsize="medium")
    if look.image_shape is None:
        ax.set_xticks([])
        ax.set_yticks([])
    else:
        ax.set_axis_off()
    return image


def name_columns(ax, look):
    """Write the names of the columns, or their numbers, below a heat map."""
    if look.image_shape is not None:
        return
    image = ax.images[0]
    n_features = image.get_array().shape[1]
    places = np.arange(0, n_features, math.ceil(n_features / MOST_NAMES))
    names = None if look.columns is None else look.columns.names
    if names is None:
        ax.set_xticks(places)
        ax.set_xlabel("column, from 0")
        ax.tick_params(axis="x", labelsize="small", labelrotation=90)
        return
    names = [str(names[i]) for i in places]
    labels = [shortened(name, LONGEST_NAME) for name in names]
    if len(set(labels)) < len(set(names)):
        numbered = zip(places, names, strict=True)
        labels = [shortened(f"{i} {name}", LONGEST_NAME) for i, name in numbered]
    ax.set_xticks(places, labels, rotation=90, fontsize="small", parse_math=False)


def shortened(text, longest):
    """Return text of at most `longest` characters: its beginning and its end, where it differs."""
    n_last = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[: longest - 1 - n_last]}…{text[-n_last:]}"


def _wrapped(title, inches):
    """Return a title in lines that fit into a width."""
    n_characters = max(1, int(SHARE_OF_WIDTH * inches / CHARACTER))
    return "\n".join(textwrap.fill(line, n_characters) for line in title.split("\n"))


def _fitted(title, ax):
    """Return a title in lines that fit above an axes; make room for them where no layout does."""
    wrapped = _wrapped(title, width_of(ax))
    if not _is_constrained(ax.figure):
        left, bottom, width, height = ax.get_position(original=True).bounds
        inches = (wrapped.count("\n") - title.count("\n")) * LINE_OF_TITLE
        lower = height - inches * ax.figure.dpi / ax.figure.bbox.height
        ax.set_position([left, bottom, width, max(lower, height / 4)])
    return wrapped


def height_of(look, n_rows, n_columns, width=WIDTH, above=0):
    """Return the height in inches of n_rows of images if n_columns fill the width."""
    if look.image_shape is None:
        return max(LOWEST, min(6.0, 0.2 * n_rows))
    height, tile = look.image_shape[0] + GAP + above, look.image_shape[1] + GAP
    return n_rows * height * SHARE_OF_WIDTH * width / (n_columns * tile) + 0.3


def draw_grid(ax, rows, look, n_columns, limits, title, labels=()):
    """Draw rows as a grid of images, or as a heat map; return the figure, axes and image.

    Labels, each a name and a number, are written above the images or beside the lines of the heat
    map.
    """
    is_given = ax is not None
    if look.image_shape is None:
        figure, (ax,) = new_axes(ax, [height_of(look, len(rows), 1)], below=INCHES_OF_NAMES)
        image = draw(ax, rows, look, 1, limits, title, is_given=is_given)
        name_columns(ax, look)
        if labels:
            texts = [" ".join(label) for label in labels]
            ax.set_yticks(range(len(rows)), texts, fontsize="x-small", parse_math=False)
        return figure, ax, image
    n_drawn = min(n_columns, len(rows))  # in a row of the grid
    width = WIDTH * n_drawn / n_columns
    inches = width
    if ax is not None:
        figure, (ax,) = new_axes(ax, [1.0])
        inches = width_of(ax)
    texts, n_lines = _fitting(labels)
    tile = SHARE_OF_WIDTH * inches / n_drawn
    above = math.ceil(n_lines * LINE / tile * (look.image_shape[1] + GAP))
    height = height_of(look, math.ceil(len(rows) / n_drawn), n_drawn, width, above)
    if ax is None:
        width = max(width, 4.0)
        title = _wrapped(title, width)
        height = max(height, LOWEST) + title.count("\n") * LINE_OF_TITLE
    figure, (ax,) = new_axes(ax, [height], width)
    image = draw(ax, rows, look, n_drawn, limits, title, above, is_given)
    height, width = look.image_shape[:2]
    for i, text in enumerate(texts):
        x = i % n_drawn * (width + GAP) + (width - 1) / 2
        y = i // n_drawn * (height + GAP + above) + above - 0.5
        ax.text(x, y, text, ha="center", va="bottom", fontsize="x-small", parse_math=False)
    return figure, ax, image


def _fitting(labels):
    """Return labels as text that fits over an image, and its number of lines."""
    if not labels:
        return [], 0
    if max(len(" ".join(label)) for label in labels) <= LONGEST_LABEL:
        return [" ".join(label) for label in labels], 1
    return ["\n".join(shortened(part, LONGEST_LABEL) for part in label) for label in labels], 2
