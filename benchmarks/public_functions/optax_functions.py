"""optax: losses, projections, and gradient transformations as functions of a gradient."""

from collections.abc import Callable, Iterator
from typing import Any

from public_functions.entry import Entry

_LOSSES = {
    "binary_dice_loss": "vb",
    "convex_kl_divergence": "vs",
    "cosine_distance": "vv",
    "cosine_similarity": "vv",
    "dice_loss": "vb",
    "generalized_kl_divergence": "vs",
    "hinge_loss": "vb",
    "huber_loss": "vv",
    "kl_divergence": "vs",
    "kl_divergence_with_log_targets": "vv",
    "l2_loss": "vv",
    "log_cosh": "vv",
    "multiclass_generalized_dice_loss": "MM",
    "perceptron_loss": "vb",
    "poly_loss_cross_entropy": "vs",
    "ranking_softmax_loss": "vb",
    "safe_softmax_cross_entropy": "vs",
    "sigmoid_binary_cross_entropy": "vb",
    "sigmoid_focal_loss": "vb",
    "smooth_labels": "sr",
    "softmax_cross_entropy": "vs",
    "sparsemax_loss": "vb",
    "squared_error": "vv",
    "triplet_margin_loss": "vvv",
}
_LABELLED = (
    "multiclass_hinge_loss",
    "multiclass_perceptron_loss",
    "multiclass_sparsemax_loss",
    "softmax_cross_entropy_with_integer_labels",
)


def losses() -> Iterator[Entry]:
    import jax.numpy as jnp
    import optax

    for name, letters in _LOSSES.items():
        if hasattr(optax.losses, name):
            yield Entry(
                name=f"optax.losses.{name}",
                function=getattr(optax.losses, name),
                letters=letters,
                # By a label of 0 or 1 nobody differentiates.
                wrt=tuple(i for i, kind in enumerate(letters) if kind != "b"),
            )
    for name in _LABELLED:
        loss = getattr(optax.losses, name)
        yield Entry(
            name=f"optax.losses.{name}",
            function=lambda x, label, loss=loss: loss(x[None], label[None] % 3),
            letters="vk",
        )
    yield Entry(
        name="optax.losses.ctc_loss",
        function=lambda x: optax.losses.ctc_loss(
            x[None], jnp.zeros((1, 4)), jnp.array([[1, 2]]), jnp.zeros((1, 2))
        ),
        letters="R",
    )
    yield Entry(
        name="optax.losses.ntxent",
        function=lambda x: optax.losses.ntxent(x, jnp.array([0, 0, 1, 1])),
        letters="R",
    )
    yield Entry(
        name="optax.losses.make_fenchel_young_loss",
        function=lambda x, y: optax.losses.make_fenchel_young_loss(
            lambda z: jnp.log(jnp.sum(jnp.exp(z)))
        )(x, y),
        letters="vs",
    )


def projections() -> Iterator[Entry]:
    import optax

    plain = ("hypercube", "non_negative", "simplex", "l1_sphere", "l1_ball", "l2_sphere", "l2_ball")
    for name in (*plain, "linf_ball"):
        yield Entry(
            name=f"optax.projections.projection_{name}",
            function=getattr(optax.projections, f"projection_{name}"),
            letters="v",
        )
    for name in ("hyperplane", "halfspace"):
        project = getattr(optax.projections, f"projection_{name}")
        yield Entry(
            name=f"optax.projections.projection_{name}",
            function=lambda x, a, b, project=project: project(x, a, b),
            # The normal vector of a plane is not 0.
            letters="vwr",
        )


def transforms() -> Iterator[Entry]:
    import jax.numpy as jnp
    import optax

    def entry(name: str, transform: Any) -> Entry:
        def update(gradient: Any, parameters: Any) -> Any:
            # The second step, from a state with something in it.
            before = jnp.array([0.5, -1.0, 2.0])
            _, state = transform.update(0.5 * before, transform.init(before), before)
            return transform.update(gradient, state, parameters)[0]

        return Entry(name=f"optax.{name}", function=update, letters="vv")

    optimizers = (
        "adabelief", "adadelta", "adagrad", "adam", "adamax", "adamaxw", "adamw", "adan", "amsgrad",
        "fromage", "lamb", "lars", "lion", "nadam", "nadamw", "novograd", "optimistic_adam_v2",
        "optimistic_gradient_descent", "radam", "rmsprop", "rprop", "sgd", "sign_sgd", "signum",
        "sm3", "yogi",
    )  # fmt: skip
    for name in optimizers:
        if hasattr(optax, name):
            yield entry(name, getattr(optax, name)(0.1))
    yield entry("adafactor", optax.adafactor(0.1))
    yield entry("clip", optax.clip(1.0))
    yield entry("clip_by_block_rms", optax.clip_by_block_rms(1.0))
    yield entry("clip_by_global_norm", optax.clip_by_global_norm(1.0))
    yield entry("adaptive_grad_clip", optax.adaptive_grad_clip(0.5))
    yield entry("centralize", optax.centralize())
    yield entry("ema", optax.ema(0.9))
    yield entry("trace", optax.trace(0.9))
    yield entry("normalize_by_update_norm", optax.normalize_by_update_norm())
    yield entry("scale_by_trust_ratio", optax.scale_by_trust_ratio())
    yield entry("scale_by_param_block_norm", optax.scale_by_param_block_norm())
    yield entry("scale_by_param_block_rms", optax.scale_by_param_block_rms())
    yield entry("zero_nans", optax.zero_nans())
    yield entry("keep_params_nonnegative", optax.keep_params_nonnegative())
    yield Entry(name="optax.global_norm", function=optax.global_norm, letters="v")
    yield Entry(name="optax.safe_norm", function=lambda x: optax.safe_norm(x, 1e-3), letters="v")
    yield Entry(
        name="optax.safe_root_mean_squares",
        function=lambda x: optax.safe_root_mean_squares(x, 1e-3),
        letters="v",
    )


PARTS: dict[str, Callable[[], Iterator[Entry]]] = {
    "optax.losses": losses,
    "optax.projections": projections,
    "optax.transforms": transforms,
}
