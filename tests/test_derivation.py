"""The derivation is complete, cited, and proved symbolically for one point and two components."""

import re
from pathlib import Path

import numpy as np
import pytest
import sympy

import mog_jax
from mog_jax import Mixture

PACKAGE = Path(mog_jax.__file__).parent
DERIVATION = (PACKAGE / "derivation.md").read_text(encoding="utf-8")


def numbered():
    return [int(number) for number in re.findall(r"\\tag\{(\d+)\}", DERIVATION)]


def cited():
    """Equation numbers in the References of the package's docstrings."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for passage in re.findall(r"Equations? \([^`]*``derivation\.md``[^\n]*", text):
            low_high = re.search(r"\((\d+)\) to \((\d+)\)", passage)
            numbers = [int(n) for n in re.findall(r"\((\d+)\)", passage)]
            if low_high:
                numbers += range(int(low_high[1]), int(low_high[2]) + 1)
            for number in numbers:
                found.setdefault(number, []).append(path.name)
    return found


def test_equations_are_numbered_in_order_without_gaps():
    assert numbered() == list(range(1, len(numbered()) + 1))


def test_every_cited_equation_exists_and_every_equation_is_implemented():
    assert sorted(cited()) == numbered()


def test_mathematics_is_delimited_as_github_renders_it():
    text = DERIVATION.replace("$$", "¤")
    assert text.count("¤") % 2 == 0
    inline = re.sub(r"¤.*?¤", "", text, flags=re.DOTALL)
    for paragraph in inline.split("\n\n"):
        assert paragraph.count("$") % 2 == 0, paragraph
    # GitHub's renderer takes these apart inside $...$.
    assert not re.search(r"\\[{}]", inline)


X, W1, W2, M1, M2 = sympy.symbols("x pi_1 pi_2 mu_1 mu_2", real=True)
V1, V2 = sympy.symbols("v_1 v_2", positive=True)


def normal(mean, variance):
    return sympy.exp(-((X - mean) ** 2) / (2 * variance)) / sympy.sqrt(2 * sympy.pi * variance)


DENSITY = W1 * normal(M1, V1) + W2 * normal(M2, V2)
L = sympy.log(DENSITY)
GAMMA = {1: W1 * normal(M1, V1) / DENSITY, 2: W2 * normal(M2, V2) / DENSITY}
PARAMETERS = {1: (W1, M1, V1), 2: (W2, M2, V2)}


def is_zero(expression):
    return sympy.simplify(expression) == 0


@pytest.mark.parametrize("k", [1, 2])
def test_gradients_are_proved(k):
    weight, mean, variance = PARAMETERS[k]
    assert is_zero(sympy.diff(L, mean) - GAMMA[k] * (X - mean) / variance)
    curved = ((X - mean) ** 2 / variance**2 - 1 / variance) / 2
    assert is_zero(sympy.diff(L, variance) - GAMMA[k] * curved)
    assert is_zero(sympy.diff(L, weight) - GAMMA[k] / weight)
    assert is_zero(variance * sympy.diff(L, variance) - GAMMA[k] * curved * variance)


def test_the_weights_identity_is_proved():
    assert is_zero(W1 * sympy.diff(L, W1) + W2 * sympy.diff(L, W2) - 1)


@pytest.mark.parametrize("k", [1, 2])
def test_the_logit_form_is_proved(k):
    logits = sympy.symbols("alpha_1 alpha_2", real=True)
    total = sum(map(sympy.exp, logits))
    softmax = {W1: sympy.exp(logits[0]) / total, W2: sympy.exp(logits[1]) / total}
    weight = PARAMETERS[k][0]
    derivative = sympy.diff(L.subs(softmax), logits[k - 1])
    assert is_zero(derivative - (GAMMA[k] - weight).subs(softmax))


VALUES = {
    W1: sympy.Rational(3, 10),
    W2: sympy.Rational(7, 10),
    M1: sympy.Rational(-1, 2),
    M2: 2,
    V1: sympy.Rational(3, 2),
    V2: sympy.Rational(1, 3),
    X: sympy.Rational(4, 5),
}


def test_louis_is_proved_and_the_code_says_the_same():
    order = [W1, W2, M1, M2, V1, V2]
    score = {
        1: [1 / W1, 0, (X - M1) / V1, 0, ((X - M1) ** 2 / V1**2 - 1 / V1) / 2, 0],
        2: [0, 1 / W2, 0, (X - M2) / V2, 0, ((X - M2) ** 2 / V2**2 - 1 / V2) / 2],
    }
    mean_score = [sum(GAMMA[k] * score[k][i] for k in score) for i in range(6)]
    information = np.zeros((6, 6))
    for i, a in enumerate(order):
        for j, b in enumerate(order):
            louis = sum(
                GAMMA[k] * (sympy.diff(score[k][i], b) + score[k][i] * score[k][j]) for k in score
            )
            louis -= mean_score[i] * mean_score[j]
            # Exact numbers decide at a point; in symbols simplify would take minutes.
            gap = (sympy.diff(L, a, b) - louis).subs(VALUES)
            assert abs(sympy.N(gap, 40)) < 1e-35
            information[i, j] = -sympy.N(louis.subs(VALUES), 20)
    mixture = Mixture.from_arrays(weights=[0.3, 0.7], means=[-0.5, 2.0], variances=[1.5, 1 / 3])
    by_code = mog_jax.observed_information(mixture, [0.8])
    np.testing.assert_allclose(by_code, information, rtol=1e-13, atol=1e-13)
