"""
Filling in missing values
=========================

A machine learns how pixels depend on each other. It can be trained on images with missing pixels,
fill them in, and draw one half of an image given the other.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.model_selection import train_test_split

from skdbn import RBMTransformer

X_train, X_test = train_test_split(load_digits().data / 16, random_state=0)
rng = np.random.default_rng(0)
gaps_train, gaps = (np.where(rng.random(X.shape) < 1 / 3, np.nan, X) for X in (X_train, X_test))
rbm = RBMTransformer(learning_rate=0.05, n_iter=200, random_state=0).fit(gaps_train)

# %%
# The machine has never seen a complete image. For comparison, two other imputers: the mean of each
# pixel, and the mean of the five nearest images.
filled = {"RBMTransformer": rbm.impute(gaps)}
for imputer in (KNNImputer(), SimpleImputer()):
    filled[type(imputer).__name__] = imputer.fit(gaps_train).transform(gaps)
is_missing = np.isnan(gaps)
for name, images in filled.items():
    print(f"{name:15} {((images - X_test)[is_missing] ** 2).mean():.4f} squared error of a pixel")


# %%
# Images as they were, with gaps in red, and filled:
def draw(rows):
    """Plot rows of images, each with its name."""
    figure, axes = plt.subplots(len(rows), 10, figsize=(8, 0.95 * len(rows)), layout="compressed")
    for (name, images), line in zip(rows.items(), axes, strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for image, ax in zip(images, line, strict=True):
            colours = plt.get_cmap("gray").with_extremes(bad="firebrick")
            ax.imshow(image.reshape(8, 8), cmap=colours, vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])


draw({"image": X_test[:10], "given": gaps[:10], "filled": filled["RBMTransformer"][:10]})

# %%
# ``impute`` returns the expected image, which is grey where the machine is not sure. ``sample``
# draws images in which each pixel is black or white, here lower halves given the upper ones. A few
# hundred Gibbs steps are enough to forget where the chains started:
halves = X_test[:10].copy()
halves[:, 32:] = np.nan
draws = {f"draw {i}": rbm.sample(10, 500, random_state=i, given=halves) for i in (1, 2, 3)}
# sphinx_gallery_thumbnail_number = 2
draw({"image": X_test[:10], "given": halves, "expected": rbm.impute(halves), **draws})
