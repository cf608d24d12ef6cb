"""Log-densities and bijectors of distrax, NumPyro and TensorFlow Probability on JAX.

A distribution is a function of its value and its parameters; it is made within the function, so
that the derivative by its parameters is judged, too.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from public_functions.entry import Entry

# For each distribution, the letters of its value and of its first parameters.
_DISTRAX = {
    "Bernoulli": "b v",
    "Beta": "u pp",
    "Categorical": "k v",
    "Dirichlet": "s w",
    "Gamma": "p pp",
    "Gumbel": "r rp",
    "Laplace": "r rp",
    "LogStddevNormal": "r rc",
    "Logistic": "r rp",
    "MultivariateNormalDiag": "v vw",
    "MultivariateNormalFullCovariance": "v vS",
    "MultivariateNormalTri": "v vL",
    "Normal": "r rp",
    "OneHotCategorical": "b v",
    "Uniform": "u ",
    "VonMises": "r rp",
}
_NUMPYRO = {
    "AsymmetricLaplace": "r rpp",
    "BernoulliLogits": "b v",
    "BernoulliProbs": "K u",
    "Beta": "u pp",
    "BetaBinomial": "k pp",
    "BetaProportion": "u up",
    "BinomialLogits": "K r",
    "BinomialProbs": "K u",
    "CategoricalLogits": "k v",
    "CategoricalProbs": "k s",
    "Cauchy": "r rp",
    "Chi2": "p p",
    "Dagum": "p ppp",
    "Dirichlet": "s w",
    "DirichletMultinomial": "y w",
    "Exponential": "p p",
    "Gamma": "p pp",
    "GammaPoisson": "K pp",
    "GeometricLogits": "K r",
    "GeometricProbs": "K u",
    "Gompertz": "p pp",
    "Gumbel": "r rp",
    "HalfCauchy": "p p",
    "HalfNormal": "p p",
    "InverseGamma": "p pp",
    "Kumaraswamy": "u pp",
    "Laplace": "r rp",
    "Levy": "p rp",
    "LogNormal": "p rp",
    "LogUniform": "p pq",
    "Logistic": "r rp",
    "LowerTruncatedPowerLaw": "q np",
    "MultivariateNormal": "v vS",
    "MultivariateStudentT": "v pvL",
    "NegativeBinomial2": "K pp",
    "NegativeBinomialLogits": "K pr",
    "NegativeBinomialProbs": "K pu",
    "Normal": "r rp",
    "OrderedLogistic": "k ro",
    "Pareto": "q pp",
    "Poisson": "K p",
    "ProjectedNormal": "v v",
    "RelaxedBernoulliLogits": "u pr",
    "SoftLaplace": "r rp",
    "StudentT": "r prp",
    "TruncatedCauchy": "p rp",
    "TruncatedNormal": "p rp",
    "Uniform": "u ",
    "VonMises": "r rp",
    "Weibull": "p pp",
    "ZeroInflatedPoisson": "K up",
}
_TFP = {
    "Bernoulli": "b v",
    "Beta": "u pp",
    "BetaBinomial": "K Kpp",
    "Binomial": "K Kr",
    "Categorical": "k v",
    "Cauchy": "r rp",
    "Chi": "p p",
    "Chi2": "p p",
    "ContinuousBernoulli": "u r",
    "Dirichlet": "s w",
    "DirichletMultinomial": "y Kw",
    "DoublesidedMaxwell": "r rp",
    "ExpGamma": "r pp",
    "ExpInverseGamma": "r pp",
    "Exponential": "p p",
    "ExponentiallyModifiedGaussian": "r rpp",
    "Gamma": "p pp",
    "GammaGamma": "p ppp",
    "GeneralizedExtremeValue": "r rpc",
    "GeneralizedNormal": "r rpp",
    "GeneralizedPareto": "p rpc",
    "Geometric": "K r",
    "Gumbel": "r rp",
    "HalfCauchy": "p rp",
    "HalfNormal": "p p",
    "HalfStudentT": "p prp",
    "Horseshoe": "p p",
    "InverseGamma": "p pp",
    "InverseGaussian": "p pp",
    "JohnsonSU": "r rprp",
    "Kumaraswamy": "u pp",
    "LambertWNormal": "r rpu",
    "Laplace": "r rp",
    "LogLogistic": "p rp",
    "LogNormal": "p rp",
    "Logistic": "r rp",
    "LogitNormal": "u rp",
    "Moyal": "r rp",
    "Multinomial": "y Kv",
    "MultivariateNormalDiag": "v vw",
    "MultivariateNormalTriL": "v vL",
    "NegativeBinomial": "K pr",
    "Normal": "r rp",
    "NormalInverseGaussian": "r rpcp",
    "OrderedLogistic": "k or",
    "Pareto": "q pp",
    "Poisson": "K p",
    "RelaxedBernoulli": "u pr",
    "SinhArcsinh": "r rprp",
    "Skellam": "K pp",
    "StudentT": "r prp",
    "Triangular": "u ",
    "TruncatedCauchy": "c rp",
    "TruncatedNormal": "c rp",
    "TwoPieceNormal": "r rpp",
    "TwoPieceStudentT": "r prpp",
    "Uniform": "u ",
    "VonMises": "r rp",
    "Weibull": "p pp",
    "Zipf": "K q",
}
# Arguments that are bound, by library and distribution.
_BOUND: dict[str, dict[str, Any]] = {
    "numpyro.BetaBinomial": {"total_count": 8},
    "numpyro.BinomialLogits": {"total_count": 8},
    "numpyro.BinomialProbs": {"total_count": 8},
    "numpyro.DirichletMultinomial": {"total_count": 18},
    "numpyro.TruncatedCauchy": {"low": 0.0},
    "numpyro.TruncatedNormal": {"low": 0.0},
    "tfp.TruncatedCauchy": {"low": -1.0, "high": 1.0},
    "tfp.TruncatedNormal": {"low": -1.0, "high": 1.0},
}


def _densities(
    prefix: str, module: Any, letters: Mapping[str, str], method: str
) -> Iterator[Entry]:
    for name, chosen in letters.items():
        make = getattr(module, name, None)
        if make is None:
            continue
        value, parameters = chosen.split(" ")
        bound = _BOUND.get(f"{prefix}.{name}", {})

        def density(*args: Any, make: Any = make, bound: Any = bound) -> Any:
            return getattr(make(*args[1:], **bound), method)(args[0])

        yield Entry(
            name=f"{prefix}.{name}.{method}",
            function=density,
            letters=value + parameters,
            # By a count nobody differentiates.
            wrt=tuple(i for i, kind in enumerate(value + parameters) if kind not in "bkKy"),
        )


def distrax() -> Iterator[Entry]:
    import distrax

    yield from _densities("distrax", distrax, _DISTRAX, "log_prob")
    yield from _densities(
        "distrax", distrax, {name: _DISTRAX[name] for name in ("Gumbel", "Logistic", "Normal")},
        "cdf",
    )  # fmt: skip
    bijectors: dict[str, tuple[Any, str]] = {
        "GumbelCDF": (distrax.GumbelCDF(), "r"),
        "Inverse(Sigmoid)": (distrax.Inverse(distrax.Sigmoid()), "u"),
        "Inverse(Tanh)": (distrax.Inverse(distrax.Tanh()), "c"),
        "Lambda(sinh)": (distrax.Lambda(_sinh), "r"),
        "Sigmoid": (distrax.Sigmoid(), "r"),
        "Tanh": (distrax.Tanh(), "r"),
    }
    for name, (bijector, letters) in bijectors.items():
        yield Entry(name=f"distrax.{name}", function=bijector.forward_and_log_det, letters=letters)
    yield Entry(
        name="distrax.RationalQuadraticSpline",
        function=lambda p, x: distrax.RationalQuadraticSpline(
            p, range_min=-4.0, range_max=4.0
        ).forward_and_log_det(x),
        letters="tr",
    )


def _sinh(x: Any) -> Any:
    import jax.numpy as jnp

    return jnp.sinh(x)


def numpyro() -> Iterator[Entry]:
    import numpyro.distributions
    from numpyro.distributions import transforms

    yield from _densities("numpyro", numpyro.distributions, _NUMPYRO, "log_prob")
    smooth = {name: _NUMPYRO[name] for name in ("Cauchy", "Gamma", "Gumbel", "Normal", "StudentT")}
    yield from _densities("numpyro", numpyro.distributions, smooth, "cdf")
    bijectors = {
        "AbsTransform": "r",
        "CholeskyTransform": "S",
        "CorrCholeskyTransform": "v",
        "ExpTransform": "r",
        "L1BallTransform": "v",
        "LowerCholeskyTransform": "v",
        "RealFastFourierTransform": "v",
        "ScaledUnitLowerCholeskyTransform": "v",
        "SigmoidTransform": "r",
        "SimplexToOrderedTransform": "s",
        "SoftplusLowerCholeskyTransform": "v",
        "SoftplusTransform": "r",
        "StickBreakingTransform": "v",
    }
    for name, letters in bijectors.items():
        transform = getattr(transforms, name)()

        def both(x: Any, transform: Any = transform) -> Any:
            y = transform(x)
            return y, transform.log_abs_det_jacobian(x, y)

        function = transform if name == "RealFastFourierTransform" else both
        if name in ("AbsTransform", "RealFastFourierTransform"):
            function = lambda x, transform=transform: abs(transform(x))  # noqa: E731
        yield Entry(name=f"numpyro.{name}", function=function, letters=letters)


def tfp() -> Iterator[Entry]:
    import jax.numpy as jnp
    import tensorflow_probability.substrates.jax as library

    yield from _densities("tfp", library.distributions, _TFP, "log_prob")
    smooth = ("Beta", "Cauchy", "Gamma", "Gumbel", "InverseGaussian", "Normal", "Weibull")
    yield from _densities(
        "tfp", library.distributions, {name: _TFP[name] for name in smooth}, "log_cdf"
    )
    tfb = library.bijectors
    bijectors: dict[str, tuple[Any, str]] = {
        "Ascending": (tfb.Ascending(), "v"),
        "CholeskyOuterProduct": (tfb.CholeskyOuterProduct(), "L"),
        "CorrelationCholesky": (tfb.CorrelationCholesky(), "v"),
        "Exp": (tfb.Exp(), "r"),
        "Expm1": (tfb.Expm1(), "r"),
        "FillScaleTriL": (tfb.FillScaleTriL(), "v"),
        "GumbelCDF": (tfb.GumbelCDF(), "r"),
        "IteratedSigmoidCentered": (tfb.IteratedSigmoidCentered(), "v"),
        "LambertWTail": (tfb.LambertWTail(shift=0.0, scale=1.0, tailweight=0.5), "r"),
        "Log": (tfb.Log(), "p"),
        "Log1p": (tfb.Log1p(), "p"),
        "MoyalCDF": (tfb.MoyalCDF(), "r"),
        "NormalCDF": (tfb.NormalCDF(), "r"),
        "Power": (tfb.Power(power=1.5), "p"),
        "RayleighCDF": (tfb.RayleighCDF(), "p"),
        "Reciprocal": (tfb.Reciprocal(), "p"),
        "Sigmoid": (tfb.Sigmoid(), "r"),
        "Sinh": (tfb.Sinh(), "r"),
        "SinhArcsinh": (tfb.SinhArcsinh(), "r"),
        "SoftClip": (tfb.SoftClip(-1.0, 1.0), "r"),
        "Softfloor": (tfb.Softfloor(1.0), "r"),
        "SoftmaxCentered": (tfb.SoftmaxCentered(), "v"),
        "Softplus": (tfb.Softplus(), "r"),
        "Softsign": (tfb.Softsign(), "r"),
        "Square": (tfb.Square(), "p"),
        "Tanh": (tfb.Tanh(), "r"),
        "WeibullCDF": (tfb.WeibullCDF(concentration=1.5), "p"),
    }
    for name, (bijector, letters) in bijectors.items():

        def both(x: Any, bijector: Any = bijector) -> Any:
            return bijector.forward(x), jnp.sum(bijector.forward_log_det_jacobian(x))

        yield Entry(name=f"tfp.{name}", function=both, letters=letters)
    functions = {
        "bessel_iv_ratio": "pp",
        "bessel_ive": "pp",
        "bessel_kve": "pp",
        "betaincinv": "ppu",
        "dawsn": "r",
        "erfcinv": "u",
        "erfcx": "r",
        "igammacinv": "pu",
        "igammainv": "pu",
        "lambertw": "p",
        "lbeta": "pp",
        "log1mexp": "p",
        "log1psquare": "r",
        "log_add_exp": "rr",
        "log_bessel_ive": "pp",
        "log_bessel_kve": "pp",
        "log_combinations": "qp",
        "log_cosh": "r",
        "log_cumsum_exp": "v",
        "log_gamma_correction": "q",
        "log_gamma_difference": "pp",
        "log_sub_exp": "rr",
        "logerfc": "r",
        "logerfcx": "r",
        "owens_t": "rr",
        "reduce_logmeanexp": "v",
        "smootherstep": "r",
        "soft_threshold": "rp",
        "softplus_inverse": "p",
        "sqrt1pm1": "p",
    }
    for name, letters in functions.items():
        function = getattr(library.math, name)
        # The slope of its Chebyshev series has an error of 1e-14; the rule is the closed form.
        agrees_to = 1e-12 if name == "erfcx" else 0.0
        yield Entry(
            name=f"tfp.math.{name}", function=function, letters=letters, agrees_to=agrees_to
        )


PARTS: dict[str, Callable[[], Iterator[Entry]]] = {
    "distrax": distrax,
    "numpyro": numpyro,
    "tfp": tfp,
}
