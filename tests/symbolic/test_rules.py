"""Each rule by its example: both sides have the same value for 1 to 4 masks, and the rule says what it does and
needs."""

import pytest
import sympy as sp

from dropout_lab.symbolic import Chain, Definition, ImaginaryPart, Masks, Mean, NotDerived, Unknown
from dropout_lab.symbolic.arithmetic import difference
from dropout_lab.symbolic.lines import agrees
from dropout_lab.symbolic.rules import (
    RULES,
    Context,
    absolute_value,
    algebra,
    bernoulli,
    by_substitution,
    euler,
    exponential_of_sum,
    homogeneity,
    idempotence,
    linear_equation,
    linearity_of_imaginary_part,
    mean_of_integral,
    mean_of_mask,
    order_of_summation,
    power_of_product,
    sums_of_minima,
)
from dropout_lab.symbolic.rules.base import rule
from dropout_lab.symbolic.rules.catalogue import SECTIONS, catalogue, section

n, i = sp.symbols("n i", integer=True, positive=True)
p, y = sp.Symbol("p", positive=True), sp.Symbol("y", real=True)
r = Masks(n, p)
KINDS = list(catalogue())
#: Sections with a rule that needs independent masks.
INDEPENDENT = ("The mean over masks", "Variances and covariances")


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_of_the_example_have_one_value(kind):
    entry = catalogue()[kind]
    assert entry.after != entry.before
    for size in (1, 2, 3, 4):
        if kind in ("independence", "definition of the covariance", "probability of a mask") and size == 1:
            continue
        if kind == "r and 1 − r have the same law" and size != 2:
            continue
        one, other = (entry.value(side, size) for side in (entry.before, entry.after))
        if entry.rule.relation == "~":
            assert 0 < abs(float(difference(one, other))) < 0.05**2
        else:
            assert agrees(one, other, "=" if entry.rule.relation == "<=>" else entry.rule.relation)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_a_line_that_only_this_rule_gives(kind):
    entry = catalogue()[kind]
    chain = Chain(sp.Symbol("start"), masks=entry.context.families, unknowns=entry.context.unknowns)
    relation = entry.rule.relation
    assert chain.follows(entry.before, entry.after, (entry.rule,), relation)
    assert not chain.follows(entry.before, entry.after, (), relation)
    if not isinstance(entry.before, sp.Eq):
        assert not chain.follows(entry.before, entry.after + 1, (entry.rule,), relation)
        assert not chain.follows(entry.before, 2 * entry.after + 3, (entry.rule, algebra), relation)
    if relation in ("<=", ">"):
        assert not chain.follows(entry.before, entry.after, (entry.rule,), "=")
        assert not chain.follows(entry.after, entry.before, (entry.rule,), relation)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_says_what_it_does(kind):
    entry = catalogue()[kind]
    assert len(entry.statement) > 20
    assert entry.statement.endswith(".")
    assert entry.statement.count("$") % 2 == 0
    assert all(name == name.lower() and " " not in name for name in entry.rule.assumes)


def test_every_rule_stands_once_on_the_page():
    listed = [kind for families in SECTIONS.values() for kind in families]
    assert len(set(listed)) == len(listed)
    assert set(RULES) <= set(listed)
    slugs = [entry.rule.slug for entry in catalogue().values()]
    assert len(set(slugs)) == len(slugs)
    assert all(slug.isascii() and " " not in slug and not slug.endswith("-") for slug in slugs)


@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_shows_itself(title):
    shown = section(title, {"independent-masks": "independent masks"}, "Beneath {anchor}.")
    page = shown._repr_markdown_()
    for kind in SECTIONS[title]:
        assert f'id="{catalogue()[kind].rule.slug}"' in page
        assert f"**{catalogue()[kind].rule.heading}.**" in page
        assert f"{kind}: " in repr(shown)
    assert page.count("$$") == 2 * len(SECTIONS[title])
    assert "#" not in page.replace("####", "")
    assert ("*Needs:* independent masks" in page) == (title in INDEPENDENT)
    assert page.count("Beneath rule-") == len(SECTIONS[title]) and "Beneath" not in section(title)._repr_markdown_()
    with pytest.raises(ValueError, match="no section"):
        section("Magic")


def test_there_are_no_two_rules_of_one_name():
    with pytest.raises(ValueError, match="two rules called 'algebra'"):
        rule("algebra", "Again.")(lambda expression, context: expression)


def test_rules_that_are_asked_for_more_than_is_known_say_so():
    with pytest.raises(ValueError, match="not said to be homogeneous"):
        homogeneity(Unknown("a", lambda x: x))
    with pytest.raises(ValueError, match="needs at least one instance"):
        Unknown("a")
    a = sp.Symbol("a", real=True)
    with pytest.raises(ValueError, match="of which nothing says that it is not 0"):
        linear_equation(y).rewrite(sp.Eq(a * y - 1, 0), Context())
    with pytest.raises(ValueError, match="the slope in y is"):
        linear_equation(y, slope=2 * p).rewrite(sp.Eq(p * y - 1, 0), Context())


def test_algebra_may_stand_in_the_middle_of_a_line():
    square = Chain(Mean((r[i] + 1) ** 2), masks=r)
    done = square.then(3 * p + 1, algebra, idempotence, RULES["linearity of the mean"], mean_of_mask)
    assert done.end == 3 * p + 1
    with pytest.raises(NotDerived, match="does not follow"):
        square.then(3 * p + 1, idempotence, RULES["linearity of the mean"], mean_of_mask)


def test_an_exponential_of_a_finite_sum_only_becomes_a_product():
    a, k = sp.IndexedBase("a"), sp.Symbol("k", integer=True, positive=True)
    series = sp.exp(sp.Sum(a[i], (i, 1, sp.oo)))
    assert exponential_of_sum.rewrite(series, Context()) == series
    # The factor has the index of the sum: it is another index.
    own = sp.exp(a[i] * sp.Sum(a[i], (i, 1, n)))
    assert exponential_of_sum.rewrite(own, Context()) == own
    squares = sp.exp(sp.Sum(a[i], (i, 1, n)) ** 2)
    assert exponential_of_sum.rewrite(squares, Context()) == squares
    scaled = exponential_of_sum.rewrite(sp.exp(y * (1 - sp.Sum(a[k], (k, 1, n)))), Context())
    assert scaled == sp.exp(y) * sp.Product(sp.exp(-y * a[k]), (k, 1, n))


def test_the_imaginary_part_is_linear_over_real_numbers_only():
    t, w = sp.Symbol("t", real=True), sp.exp(sp.I * sp.Symbol("t", real=True))
    context = Context((r,))
    for left_alone in (ImaginaryPart(sp.I * w), ImaginaryPart(w * sp.gamma(1 + sp.I * t)), ImaginaryPart(p**w)):
        assert linearity_of_imaginary_part.rewrite(left_alone, context) == left_alone
    assert linearity_of_imaginary_part.rewrite(ImaginaryPart(p * t), context) == 0
    assert linearity_of_imaginary_part.rewrite(ImaginaryPart(p * Mean(r[1] * w)), context) == p * Mean(
        r[1] * ImaginaryPart(w)
    )


def test_eulers_formula_is_for_imaginary_exponents():
    t = sp.Symbol("t", real=True)
    for left_alone in (ImaginaryPart(sp.exp(t + sp.I * t)), ImaginaryPart(2 * sp.exp(sp.I * t)), sp.exp(sp.I * t)):
        assert euler.rewrite(left_alone, Context()) == left_alone


def test_a_mean_goes_under_an_integral_whose_ends_are_fixed():
    t = sp.Symbol("t", real=True)
    context = Context((r,))
    for left_alone in (
        Mean(sp.Integral(t * r[1], (t, 0, r[2]))),
        Mean(r[1] * sp.Integral(t * r[1], (t, 0, 1))),
        sp.Integral(Mean(t * r[1]), (t, 0, 1)),
    ):
        assert mean_of_integral.rewrite(left_alone, context) == left_alone


def test_a_substitution_goes_from_end_to_end_without_turning():
    x, u = sp.Symbol("x", real=True), sp.Symbol("u", positive=True)
    total = sp.Integral(sp.cos(x), (x, 0, 9))
    assert by_substitution(x, 1 / u, u, sp.oo, 1).rewrite(sp.Integral(x, (x, 0, 1)), Context()).doit() == sp.Rational(
        1, 2
    )
    with pytest.raises(ValueError, match="runs from 0 to 4"):
        by_substitution(x, u**2, u, 0, 2).rewrite(total, Context())
    with pytest.raises(ValueError, match="nothing says that"):
        by_substitution(x, u**2 - u, u, 0, 2)
    with pytest.raises(ValueError, match="nothing says that"):
        by_substitution(x, u**3, u, -1, 2)
    # What stands in a mean, or in a letter that has x in it, is not seen.
    square = by_substitution(x, u**2, u, 0, 3)
    hidden = Definition("h", x**2)
    for left_alone in (sp.Integral(hidden(), (x, 0, 9)), sp.Integral(Mean(x * r[1]), (x, 0, 9))):
        assert square.rewrite(left_alone, Context((r,))) == left_alone
    seen = Definition("h({{0}})", x**2, (x,))
    assert square.rewrite(sp.Integral(seen(x), (x, 0, 9)), Context()) == sp.Integral(2 * u * seen(u**2), (u, 0, 3))


def test_only_maxima_that_are_subtracted_become_minima():
    a, b, c = sp.symbols("a b c", real=True)
    for left_alone in (sp.Max(a, b) + c, c - sp.Min(a, b), 2 * sp.Min(a, b) + c, sp.Min(a, b)):
        assert sums_of_minima.rewrite(left_alone, Context()) == left_alone
    assert sums_of_minima.rewrite(sp.Min(a, b) - sp.Max(b, c), Context()) == sp.Min(0, a - b, a - c, b - c)


def test_absolute_values_and_roots_go_by_what_is_known_of_signs():
    a, three_halves = sp.IndexedBase("a"), sp.Rational(3, 2)
    masks, none = Context((r,)), Context()
    assert absolute_value.rewrite(sp.Abs(1 - p), masks) == 1 - p
    assert absolute_value.rewrite(sp.Abs(1 - p), none) == sp.Abs(1 - p)
    assert absolute_value.rewrite(sp.Abs(p - 2) * sp.Abs(y), masks) == sp.Abs(p - 2) * sp.Abs(y)
    together = (a[1] * (1 - p)) ** three_halves
    assert power_of_product.rewrite(together, masks) == (1 - p) ** three_halves * a[1] ** three_halves
    for left_alone in (together, (a[1] * a[2]) ** three_halves, (a[1] + a[2]) ** three_halves, (p * y) ** (sp.I * y)):
        assert power_of_product.rewrite(left_alone, none) == left_alone


def test_the_order_of_summation_changes_over_a_whole_band():
    j, m = sp.symbols("j m", integer=True, positive=True)
    term = sp.IndexedBase("a")[i, j]

    def band(back, last, high):
        return sp.Sum(term, (j, sp.Max(1, i - back), sp.Min(i, high)), (i, 1, last))

    done = order_of_summation.rewrite(band(m, n + m, n), Context())
    assert done == sp.Sum(term, (i, j, j + m), (j, 1, n))
    for left_alone in (
        band(m, n + m - 1, n),
        band(-m, n - m, n),
        band(i, n + i, n),
        sp.Sum(term, (j, 1, sp.Min(i, n)), (i, 1, n + m)),
        sp.Sum(term, (j, sp.Max(1, i - m), n), (i, 1, n + m)),
        sp.Sum(term, (j, sp.Max(1, i - m), sp.Min(i, n, m)), (i, 1, n + m)),
    ):
        assert order_of_summation.rewrite(left_alone, Context()) == left_alone


def test_bernoullis_inequality_is_for_probabilities_and_whole_numbers():
    masks, half = Context((r,)), sp.Rational(1, 2)
    assert bernoulli.rewrite(1 - n * p, masks) == (1 - p) ** n
    assert bernoulli.rewrite(1 - n * (1 - p), masks) == p**n
    for left_alone in (1 - p * half, 1 - p * y, 2 - n * p, 1 + n * p, -(1 - n * p), n * p):
        assert bernoulli.rewrite(left_alone, masks) == left_alone
    assert bernoulli.rewrite(1 - n * p, Context()) == 1 - n * p


def test_numbers_are_said_to_be_for_two_masks_only_where_there_is_an_n():
    assert "\n\nAt $n = 2$: 40/11 = 40/11." in catalogue()["linearity of the mean"].markdown({})
    assert "\n\nIn numbers: 6/11 = 6/11." in catalogue()["E r = p"].markdown({})


def test_a_formula_in_a_title_is_typeset_and_read_as_text():
    u, v = sp.symbols("u v", positive=True)
    made = by_substitution(v, 1 / (2 * u**2) - 1, u, 0, 1)
    assert made.title == r"substitution $v = \frac{1}{2 u^{2}} - 1$"
    assert (made.name, str(made), made.kind) == ("substitution v = 1/(2 u²) − 1",) * 2 + ("substitution",)
    assert RULES["E r = p"].heading == r"$\mathbb{E}\,r = p$"
