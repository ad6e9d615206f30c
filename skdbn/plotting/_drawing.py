"""Rows as images or heat maps on axes, and the scale that they share.

The rule: Matplotlib is imported when something is drawn, and not before.
"""

import math

import numpy as np

SMALLEST_SIDE = 3  # pixels, of an image whose shape is guessed
GAP = 1  # pixels between images
SHARE_IN_SCALE = 0.995  # of the differences from a bias probe
SHARE_OF_WIDTH = 0.9  # of a figure that the bar of the scale leaves
WIDTH = 9.0  # inches


def image_shape_of(n_features, image_shape):
    """Return the shape of the image of a row; None when a row is no image."""
    if image_shape is None:
        side = math.isqrt(n_features)
        return (side, side) if side >= SMALLEST_SIDE and side * side == n_features else None
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or math.prod(shape) != n_features or shape[2:] not in ((), (3,)):
        raise ValueError(
            f"image_shape == {image_shape!r}, must be (height, width) or (height, width, 3) with "
            f"{n_features} values in all, one for each feature."
        )
    return shape


def montage(rows, image_shape, n_columns):
    """Return images side by side in one array, nan between them; rows that are none as they are."""
    if image_shape is None:
        return rows
    height, width, *channels = image_shape
    n_rows = math.ceil(len(rows) / n_columns)
    step_down, step_right = height + GAP, width + GAP
    canvas = np.full((n_rows * step_down - GAP, n_columns * step_right - GAP, *channels), np.nan)
    for i, image in enumerate(rows.reshape(-1, *image_shape)):
        top, left = i // n_columns * step_down, i % n_columns * step_right
        canvas[top : top + height, left : left + width] = image
    return canvas


def limits_of(values):
    """Return the ends of a scale that holds all values; [0, 1] when they are probabilities."""
    low, high = float(np.min(values)), float(np.max(values))
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return low, high if high > low else low + 1.0


def symmetric_limits(values):
    """Return the ends of a scale around 0 that leaves out the few largest values.

    They would turn all others grey; the bar of the scale has pointed ends to say so.
    """
    sizes = np.abs(values)
    high = float(np.quantile(sizes, SHARE_IN_SCALE) or sizes.max()) or 1.0
    return -high, high


def draw(ax, rows, image_shape, n_columns, limits, title):
    """Draw rows as a montage of images, or as a heat map, on an axes."""
    low, high = limits
    canvas = montage(rows, image_shape, n_columns)
    if canvas.ndim == 3:  # colours are drawn as they are
        canvas = np.nan_to_num(np.clip((canvas - low) / (high - low), 0.0, 1.0), nan=1.0)
    image = ax.imshow(
        canvas,
        cmap="gray",
        vmin=low,
        vmax=high,
        interpolation="nearest",
        aspect="equal" if image_shape else "auto",
    )
    ax.set_axis_off()
    ax.set_title(title, fontsize="medium")
    return image


def new_axes(ax, heights, width=WIDTH):
    """Return a figure and axes below each other, of the given heights in inches.

    Given axes are taken instead: one where one is needed, else a sequence of them.
    """
    import matplotlib.pyplot as plt

    if ax is not None:
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != len(heights):
            raise ValueError(f"ax has {len(axes)} axes, this picture needs {len(heights)}.")
        return axes[0].figure, axes
    figure, axes = plt.subplots(
        len(heights),
        1,
        figsize=(width, sum(heights) + 0.3),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    return figure, axes[:, 0]


def state_scale(figure, image, axes, label, extend="neither"):
    """Put a bar beside the axes that states their common scale."""
    bar = figure.colorbar(image, ax=list(axes), fraction=0.02, pad=0.01, aspect=30, extend=extend)
    bar.set_label(label)
    return bar


def height_of(image_shape, n_rows, n_columns, width=WIDTH):
    """Return the inches that n_rows of images need when n_columns fill the width."""
    if image_shape is None:
        return max(1.5, min(6.0, 0.2 * n_rows))
    scale = SHARE_OF_WIDTH * width / (n_columns * (image_shape[1] + GAP))
    return n_rows * (image_shape[0] + GAP) * scale + 0.3


def draw_grid(ax, rows, image_shape, n_columns, limits, title):
    """Draw rows as a grid of images; return the figure, the axes and the image."""
    shape, n_rows = image_shape_of(rows.shape[1], image_shape), len(rows)
    width, n_drawn = WIDTH, min(n_columns, n_rows)  # in a row of the grid
    if shape:
        width, n_rows = WIDTH * n_drawn / n_columns, math.ceil(n_rows / n_drawn)
    height = height_of(shape, n_rows, n_drawn, width)
    figure, (ax,) = new_axes(ax, [height], max(width, 4.0))
    return figure, ax, draw(ax, rows, shape, n_drawn, limits, title)
