import sys

import jax
import matplotlib
import numpy as np
import pytest

import mog_jax
from mog_jax import Mixture
from mog_jax.plots import plot_batch, plot_digits, plot_fit, plot_fits, plot_likelihood, style
from mog_jax.plots.band import density_band
from mog_jax.plots.likelihood import condensed

matplotlib.use("agg")
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def faithful():
    x = mog_jax.datasets.faithful()
    return x, mog_jax.fit(x)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(7, 150))
    data[:, :75] += np.arange(7)[:, None]
    data[1], data[2], data[3, 0] = 1.0, np.nan, np.inf
    data[4] = np.repeat([0.0, 1.0], 75)
    return data, mog_jax.fit(data)


def test_one_fit_has_histogram_components_threshold_and_responsibilities(faithful):
    x, fit = faithful
    top, bottom = plot_fit(fit, np.append(x, np.nan), label="minutes")
    bars = top.containers[0].patches
    assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)
    total, low, high = (line.get_ydata() for line in top.lines[:3])
    np.testing.assert_allclose(low + high, total, rtol=1e-9)
    assert top.lines[3].get_xdata()[0] == pytest.approx(fit.threshold().value)
    assert bottom.get_xlabel() == "minutes"
    labels = [text.get_text() for text in top.get_legend().get_texts()]
    assert labels[-1] == "threshold 66.58 ± 2 (95 %)"
    styles = {line.get_linestyle() for line in top.lines[:3]}
    assert len(styles) >= 2
    top.figure.canvas.draw()


def test_the_band_covers_the_density_as_often_as_it_says():
    true = Mixture.from_arrays(weights=[0.4, 0.6], means=[0, 4], variances=[1, 1])
    fits = mog_jax.fit(np.asarray(true.sample(0, 200 * 300)).reshape(200, 300))
    grid = np.array([-1.0, 0.5, 2.0, 3.5, 5.0])
    expected = np.exp(np.asarray(mog_jax.log_density(true, grid)))
    covered = []
    for fit in fits:
        low, high = density_band(fit, grid, 0.9)
        density = np.exp(np.asarray(fit.log_density(grid)))
        covered.append((low * density <= expected) & (expected <= high * density))
    assert np.abs(np.mean(covered, axis=0) - 0.9).max() < 0.07


def test_the_band_lies_around_the_sum_and_is_left_out_where_nothing_is_known(faithful, batch):
    x, fit = faithful
    top = plot_fit(fit, x, level=0.5)[0]
    (band,) = [c for c in top.collections if len(c.get_paths()[0].vertices) > 100]
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() > top.lines[0].get_ydata().max()
    assert top.get_legend().get_texts()[0].get_text() == "mixture (50 % band)"
    data, fits = batch
    assert fits[4].status_name == "variance_floor"
    constant = plot_fit(fits[4], data[4])[0]
    assert constant.get_legend().get_texts()[0].get_text() == "mixture"


def test_counts_are_the_same_picture_on_another_scale(faithful):
    x, fit = faithful
    plain, counts = plot_fit(fit, x)[0], plot_fit(fit, x, scale="counts")[0]
    heights = [np.array([b.get_height() for b in a.containers[0].patches]) for a in (plain, counts)]
    assert heights[1].sum() == pytest.approx(len(x))
    factor = heights[1].max() / heights[0].max()
    for left, right in zip(plain.lines[:3], counts.lines[:3], strict=True):
        np.testing.assert_allclose(right.get_ydata(), factor * left.get_ydata())
    assert (plain.get_ylabel(), counts.get_ylabel()) == ("density", "points in a bin")


def test_components_have_names_and_a_grid_its_labels_and_legend(faithful):
    x, fit = faithful
    top = plot_fit(fit, x, components=("short", "long"))[0]
    texts = [text.get_text() for text in top.get_legend().get_texts()]
    assert texts[1].startswith("short: 0.361 · N(54.61")
    assert texts[2].startswith("long: 0.639 · N(80.09")
    fits = mog_jax.fit(np.stack([x, x + 1, x + 2]))
    data = np.stack([x, x + 1, x + 2])
    panels = plot_fits(fits, data, columns=2, label="minutes", components=("short", "long"))
    assert [panel.get_xlabel() for panel in panels] == ["", "minutes", "minutes"]
    assert [panel.get_ylabel() for panel in panels] == ["density", "", "density"]
    (legend,) = panels[0].figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["data", "mixture", "short", "long", "threshold"]
    panels[0].figure.canvas.draw()
    counted = plot_fits(fits, data, scale="counts")
    assert counted[0].get_ylabel() == "points in a bin"
    assert len(counted[0].get_yticks()) > 1


def test_counts_draw_what_repetitions_draw(faithful):
    x, fit = faithful
    values, counts = np.unique(x, return_counts=True)
    plain, counted = plot_fit(fit, x)[0], plot_fit(fit, values, counts=counts)[0]
    heights = [
        [bar.get_height() for bar in axes.containers[0].patches] for axes in (plain, counted)
    ]
    np.testing.assert_allclose(*heights)


def test_in_a_grid_and_on_the_plane_too(faithful):
    x, fit = faithful
    values, counts = np.unique(x, return_counts=True)
    fits = mog_jax.fit(np.stack([x, x]))
    plain = plot_fits(fits, np.stack([x, x]))
    both = {"data": np.stack([values] * 2), "counts": np.stack([counts] * 2)}
    counted = plot_fits(fits, **both)
    heights = [
        [bar.get_height() for bar in axes[0].containers[0].patches] for axes in (plain, counted)
    ]
    np.testing.assert_allclose(*heights)
    titles = [
        [axes.get_title(loc="left") for axes in plot_batch(fits, **given, worst=2)[2:]]
        for given in ({"data": np.stack([x, x])}, both)
    ]
    assert titles[0] == titles[1]
    planes = [
        plot_likelihood(fit, x, resolution=9)[0],
        plot_likelihood(fit, values, counts=counts, resolution=9)[0],
    ]
    highest = [max(line.get_xdata()[-1] for line in axes.lines) for axes in planes]
    np.testing.assert_allclose(*highest)
    for axes in planes:
        axes.figure.canvas.draw()


@pytest.mark.parametrize("counts", [None, np.arange(20_000) % 3])
def test_neighbours_that_are_drawn_together_keep_their_number_and_their_mean(counts):
    rng = np.random.default_rng(0)
    points, times = rng.normal(size=20_000), np.ones(20_000)
    if counts is not None:
        points, times = points[counts > 0], counts[counts > 0].astype(float)
    together, total = condensed(points, times)
    assert together.size <= 4096
    np.testing.assert_allclose(total.sum(), times.sum())
    np.testing.assert_allclose(total @ together, times @ points, atol=1e-9)
    np.testing.assert_allclose(
        total @ together**2 / total.sum(), times @ points**2 / times.sum(), rtol=1e-3
    )


def test_the_plane_fits_into_its_figure(faithful):
    x, fit = faithful
    start = Mixture.from_arrays(weights=[0.5, 0.5], means=[60, 62], variances=[100, 100])
    paths = {f"path {i}": mog_jax.ascent_path(x, start, direction="em") for i in range(3)}
    (axes,) = plot_likelihood(fit, x, paths=paths, resolution=9)
    figure = axes.figure
    figure.canvas.draw()
    inside = figure.bbox.padded(1)
    for label in (axes.yaxis.label, axes.xaxis.label, axes.child_axes[0].yaxis.label):
        box = label.get_window_extent()
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1
        assert inside.y0 <= box.y0 < box.y1 <= inside.y1


SIDE = np.linspace(0, 1, 3)
KEPT = dict.fromkeys(
    name + precision
    for name in ("reverse autodiff", "forward autodiff")
    for precision in ("", ", float32")
)
KEPT = dict.fromkeys([*KEPT, "jit", "float32", "allowed", "allowed, float32"], np.ones((3, 3)))
# What draws one dataset or two, and on how many axes.
DRAWN = {
    "fit": (lambda x, fits, **where: plot_fit(fits[0], x, **where), 2),
    "fits": (lambda x, fits, **where: plot_fits(fits, np.stack([x, x]), **where), 2),
    "batch": (lambda x, fits, **where: plot_batch(fits, **where), 2),
    "likelihood": (lambda x, fits, **where: plot_likelihood(fits[0], x, resolution=5, **where), 1),
    "digits": (lambda x, fits, **where: plot_digits(SIDE, SIDE, KEPT, **where), 8),
}


@pytest.mark.parametrize("name", DRAWN)
def test_any_picture_is_saved_in_one_way_and_drawn_where_it_is_told(name, faithful, tmp_path):
    x, fit = faithful
    fits = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), fit)
    draw, number = DRAWN[name]
    draw(x, fits)[0].figure.savefig(tmp_path / "own.png")
    pyplot.close("all")
    figure, axes = pyplot.subplots(2, 4)
    mine = axes.ravel()[:number].tolist()
    found = draw(x, fits, axes=mine)
    assert found.tolist() == mine
    assert len(pyplot.get_fignums()) == 1
    figure.savefig(tmp_path / "mine.png")


def test_the_worst_of_a_batch_are_saved_with_it(batch, tmp_path):
    data, fits = batch
    for axes in plot_batch(fits, data, worst=2):
        axes.figure.savefig(tmp_path / "batch.png")
    assert len(plot_batch(fits[:1], data[:1])) == 3
    assert len(plot_batch(fits, data, worst=0)) == 2


def test_one_of_the_axes_will_do(faithful):
    x, fit = faithful
    _, mine = pyplot.subplots()
    assert plot_fit(fit, x, axes=mine).tolist() == [mine]


def test_a_narrow_component_is_not_missed():
    x = np.append(np.linspace(0, 1000, 110), 500 + np.linspace(-5, 5, 45))
    fit = mog_jax.fit(x)
    total = plot_fit(fit, x)[0].lines[0].get_ydata()
    assert total.max() > 10 * np.median(total)


@pytest.mark.parametrize("row", range(7))
def test_every_dataset_can_be_drawn_or_says_why_not(batch, row):
    data, fits = batch
    if np.isfinite(data[row]).any():
        plot_fit(fits[row], data[row])[0].figure.canvas.draw()
    else:
        with pytest.raises(ValueError, match="`data` must have a finite point; got none in 150"):
            plot_fit(fits[row], data[row])


def test_a_grid_has_a_named_panel_for_each(batch):
    data, fits = batch
    names = [f"gene {i}" for i in range(7)]
    axes = plot_fits(fits, data, names=names)
    assert axes.shape == (7,)
    titles = [panel.get_title(loc="left") for panel in axes]
    assert titles[1] == "gene 1   constant"
    assert titles[6].startswith("gene 6   ΔBIC")
    assert not axes[0].figure.axes[7].axison
    chosen = plot_fits(fits, list(data), chosen=[6, 0], columns=2)
    assert [panel.get_title(loc="left")[0] for panel in chosen] == ["6", "0"]
    axes[0].figure.canvas.draw()


def test_a_batch_at_a_glance_counts_every_dataset(batch):
    data, fits = batch
    evidence, endings, *worst = plot_batch(fits, data)
    assert sum(bar.get_width() for bar in endings.patches) == len(fits)
    drawn = sum(len(points.get_offsets()) for points in evidence.collections)
    assert drawn == np.isfinite(fits.delta_bic()).sum()
    assert len(worst) == 4
    evidence.get_figure(root=True).canvas.draw()
    assert len(plot_batch(fits)) == 2


def test_the_likelihood_falls_away_from_its_maximum_and_paths_end_there(faithful):
    x, fit = faithful
    start = Mixture.from_arrays(weights=[0.5, 0.5], means=[60, 70], variances=[40, 40])
    paths = {name: mog_jax.ascent_path(x, start, direction=name) for name in ("newton", "em")}
    (axes,) = plot_likelihood(fit, x, paths=paths, resolution=21)
    drawn = {line.get_label(): line.get_xydata() for line in axes.lines}
    for name, path in paths.items():
        found = drawn[f"{name}, {path.n_passes:,} passes"]
        np.testing.assert_allclose(found, path.mixture.means)
        np.testing.assert_allclose(found[-1], fit.mixture.means, rtol=1e-6)
    stars = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "*"]
    np.testing.assert_allclose(stars[0], fit.mixture.means)
    np.testing.assert_allclose(stars[1], stars[0][::-1])
    axes.figure.canvas.draw()


def test_a_few_outliers_do_not_flatten_the_rest_and_are_counted():
    x = np.append(np.random.default_rng(0).normal(size=200), [1e4, -1e5])
    top = plot_fit(mog_jax.fit(x), x)[0]
    assert top.get_xlim()[1] < 10
    notes = [text.get_text() for text in top.texts]
    assert notes[0].splitlines()[0] == "n = 202"
    assert {"1 beyond ←", "1 beyond →"} <= set(notes[0].splitlines())


def test_bins_of_whole_numbers_hold_as_many_of_them_each():
    x = np.random.default_rng(0).poisson(5, 400).astype(float)
    bars = plot_fit(mog_jax.fit(x), x)[0].containers[0].patches
    edges = np.array([bar.get_x() for bar in bars])
    assert np.all(edges % 1 == 0.5)
    assert len(set(np.diff(edges))) == 1


def test_a_fit_that_is_not_at_a_maximum_says_so_in_its_picture(faithful):
    x, _ = faithful
    top = plot_fit(mog_jax.fit(x, max_steps=1, tolerance=1e-12), x)[0]
    assert top.texts[0].get_text() == "n = 272\nstep limit"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda data, fits: plot_fit(fits, data[0]), "`fit` must be of one dataset"),
        (lambda data, fits: plot_fit(fits[0], data), r"`data` must have shape \(n,\)"),
        (lambda data, fits: plot_fit(data[0], fits[0]), "`fit` must be a result .*; got ndarray"),
        (lambda data, fits: plot_fits(fits, data, names=["a"]), "one for each of 7 fits; got 1"),
        (lambda data, fits: plot_fits(fits, data, chosen=[]), "`chosen` must be at least one"),
        (lambda data, fits: plot_fits(fits, data, axes=[1] * 7), "axes of matplotlib; got int"),
        (lambda data, fits: plot_fits(fits, data, axes=[]), "`axes` must be at least 7; got 0"),
        (lambda data, fits: plot_fit(fits[0], data[0], axes=[1] * 3), "must be 1 or 2; got 3"),
        (lambda data, fits: plot_fit(fits[0], data[0], scale="log"), "'density' or 'counts'; got"),
        (lambda data, fits: plot_fit(fits[0], data[0], level=95), "`level` must be between 0 and"),
        (lambda data, fits: plot_fits(fits, data, components="ab"), "`components` must be two na"),
        (lambda data, fits: plot_batch(fits, axes=[1]), "`axes` must be 2; got 1"),
        (lambda data, fits: plot_likelihood(fits[1], data[1]), "here nothing was fitted"),
        (lambda data, fits: plot_likelihood(fits, data[1]), "`fit` must be of one dataset"),
    ],
)
def test_what_cannot_be_drawn_is_refused(batch, draw, message):
    with pytest.raises(ValueError, match=message):
        draw(*batch)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch, faithful):
    x, fit = faithful
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'mog_jax\[plot\]'"):
        plot_fit(fit, x)


DATA = mog_jax.datasets.faithful()
EXTREME = {
    "huge": DATA * 1e290,
    "far beyond": DATA * 1e306,
    "denormal": DATA * 1e-310,
    "one value": np.full(DATA.size, 1e250),
    "both ends": np.where(np.arange(DATA.size) % 2, 1.7e308, -1.7e308),
    "an outlier": np.append(DATA[1:], 1e300),
    "infinity": np.append(DATA[1:], np.inf),
}


@pytest.mark.parametrize("name", EXTREME)
def test_extreme_data_are_drawn_or_refused_in_a_sentence(name):
    fit, x = mog_jax.fit(DATA), EXTREME[name]
    both = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), fit)
    # Whatever there is in one panel, the others are drawn.
    axes = plot_fits(both, np.stack([DATA, x]))
    axes[0].figure.canvas.draw()
    assert axes[0].lines
    if name in ("far beyond", "denormal", "both ends"):
        with pytest.raises(ValueError, match="`data` must be of a size that can be drawn; got"):
            plot_fit(fit, x)
    else:
        plot_fit(fit, x)[0].figure.canvas.draw()
        plot_likelihood(fit, x, resolution=5)[0].figure.canvas.draw()


@pytest.mark.parametrize("times", [1e308, 1e-308, 5e-324, "mixed"])
def test_extreme_counts_are_drawn_as_their_proportions(times):
    fit, counts = mog_jax.fit(DATA), np.ones(DATA.size)
    counts = np.where(DATA > 70, 1e308, 1.0) if times == "mixed" else counts * times
    bars = plot_fit(fit, DATA, counts=counts)[0].containers[0].patches
    assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)
    plot_likelihood(fit, DATA, counts=counts, resolution=5)[0].figure.canvas.draw()
    none = np.stack([np.ones(DATA.size), np.zeros(DATA.size)])
    both = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), fit)
    panels = plot_fits(both, np.stack([DATA, DATA]), counts=none)
    assert [bool(panel.lines) for panel in panels] == [True, False]


def test_every_status_has_a_colour_and_a_marker():
    looks = {status: style.look_of(status) for status in mog_jax.Status}
    with_errors = ("CONVERGED", "DEGENERATE", "FEW_POINTS", "ATOM", "BELOW_RESOLUTION", "SATURATED")
    others = {status for status in looks if status.name not in with_errors}
    assert len({looks[status] for status in others}) == 1
    assert len({*looks.values()}) == len(with_errors) + 1


def test_bins_are_bars_of_their_own_width_and_the_rest_is_hatched():
    lower = np.array([-np.inf, 50, 60, 75, 90])
    upper = np.array([50, 60, 75, 90, np.inf])
    counts = np.array([20.0, 60, 50, 130, 12])
    fit = mog_jax.fit(lower, upper=upper, counts=counts)
    axes = plot_fit(fit, lower, upper=upper, counts=counts)
    bars = [bar for bar in axes[0].patches if bar.get_width() > 5]
    assert [bar.get_width() for bar in bars] == [10, 15, 15]
    area = sum(bar.get_width() * bar.get_height() for bar in axes[0].patches)
    hatched = [bar for bar in axes[0].patches if bar.get_hatch()]
    assert len(hatched) == 2
    np.testing.assert_allclose(
        [bar.get_width() * bar.get_height() for bar in hatched], [20 / 272, 12 / 272]
    )
    bins = [bar for bar in axes[0].patches if not bar.get_hatch()][:3]
    inside = sum(bar.get_width() * bar.get_height() for bar in bins)
    np.testing.assert_allclose(inside, 240 / 272)
    assert area >= inside


def areas(axes, *, hatched):
    return sum(
        bar.get_width() * bar.get_height()
        for bar in axes.patches
        if bool(bar.get_hatch()) is hatched
    )


def test_rounded_and_censored_values_have_bins_and_hatched_mass(faithful):
    data, _ = faithful
    words = {"resolution": 1, "limits": (50, None)}
    axes = plot_fit(mog_jax.fit(data, **words), data, **words)[0]
    below = (data <= 50).mean()
    np.testing.assert_allclose(areas(axes, hatched=True), below)
    # The band of the threshold is a patch of its own.
    bins = sum(bar.get_width() * bar.get_height() for bar in axes.containers[0].patches)
    np.testing.assert_allclose(bins, 1 - below)


def test_bars_in_a_window_are_as_high_as_if_all_had_been_recorded(faithful):
    data, _ = faithful
    seen = data[data > 55]
    fit = mog_jax.fit(seen, window=(55, None))
    axes = plot_fit(fit, seen, window=(55, None))[0]
    bins = sum(bar.get_width() * bar.get_height() for bar in axes.containers[0].patches)
    np.testing.assert_allclose(bins, 1 - fit.cdf([55.0])[0], rtol=1e-9)


def test_many_exact_values_beside_a_limit_have_few_bars():
    x = np.random.default_rng(0).normal(size=20_000)
    fit = mog_jax.fit(x[:500], limits=(-1, None))
    axes = plot_fit(fit, x, limits=(-1, None))[0]
    assert len(axes.containers[0].patches) < 200


def test_panels_have_the_bars_of_intervals(faithful):
    data, _ = faithful
    both = {"a": data, "b": data[:100]}
    words = {"limits": (50, 85)}
    fits = mog_jax.fit(both, **words)
    panels = plot_fits(fits, both, **words)
    np.testing.assert_allclose(
        areas(panels[1], hatched=True), ((both["b"] <= 50) | (both["b"] >= 85)).mean()
    )
    axes = plot_batch(fits, both, worst=2, **words)
    assert len(axes) == 4
    with pytest.raises(ValueError, match="must be 'density' for intervals"):
        plot_fits(fits, both, scale="counts", **words)


def test_intervals_that_cannot_be_drawn_are_refused(faithful):
    data, fit = faithful
    with pytest.raises(ValueError, match="`upper` must have the form and shape of `data`"):
        plot_fit(fit, data, upper=data[:3])
    with pytest.raises(ValueError, match="an interval with an end; got none in 1"):
        plot_fit(fit, [-np.inf], upper=[np.inf])
    with pytest.raises(ValueError, match="must be 'density' for intervals"):
        plot_fit(fit, data, upper=data + 1, scale="counts")
    with pytest.raises(ValueError, match="`plot_fit` has no option `uper`: did you mean `upper`"):
        plot_fit(fit, data, uper=data + 1)
    with pytest.raises(ValueError, match="of points; this is a fit of intervals"):
        plot_likelihood(mog_jax.fit(data, resolution=1), data)
