"""Coefficients of the error function in src/host/real.rs: python3 erf.py (mpmath 1.3.0).

erf x = x P(x²) for |x| ≤ 1, and 1 - exp(-x²) Q(1/(1 + x/2) - 0.45) for 1 ≤ x ≤ a, where P and Q interpolate at Chebyshev
nodes; the error is that of the interpolation, in exact arithmetic. Beyond a erf is 1 to rounding. Highest power first.
"""

import mpmath as mp

mp.mp.dps = 60


def interpolated(f, low, high, count):
    """Coefficients of the polynomial through f at Chebyshev nodes, highest power first."""
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
    matrix = mp.matrix(count, count)
    for row, x in enumerate(nodes):
        for column in range(count):
            matrix[row, column] = x ** (count - 1 - column)
    return list(mp.lu_solve(matrix, mp.matrix([f(x) for x in nodes])))


def worst(f, coefficients, low, high):
    points = [low + (high - low) * k / 2000 for k in range(2001)]
    return max(abs(mp.polyval(coefficients, x) - f(x)) for x in points)


for name, a, counts, digits in [("f32", 4, (7, 8), 9), ("f64", 6, (13, 18), 17)]:
    inner = lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s) if s else 2 / mp.sqrt(mp.pi)
    place = lambda x: 1 / (1 + x / 2) - mp.mpf("0.45")
    outer = lambda u: (lambda x: mp.erfc(x) * mp.exp(x * x))(2 * (1 / (u + mp.mpf("0.45")) - 1))
    for words, f, low, high, count in [
        ("P", inner, mp.mpf(0), mp.mpf(1), counts[0]),
        ("Q", outer, place(mp.mpf(a)), place(mp.mpf(1)), counts[1]),
    ]:
        coefficients = interpolated(f, low, high, count)
        print(name, words, mp.nstr(worst(f, coefficients, low, high), 3))
        print("    [" + ", ".join(mp.nstr(c, digits) for c in coefficients) + "]")
