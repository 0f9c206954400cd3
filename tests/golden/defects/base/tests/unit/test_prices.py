"""What the prices of the service promise."""

from app.prices import shown, total


def test_a_total_is_less_its_discount() -> None:
    assert total([100, 200], discount=10) == 270


def test_a_price_has_two_decimals() -> None:
    assert shown(total([5])) == "0.05"
