"""The local time of a country."""

import pytest

from adapters.files.zones import local_zone
from syncengine.domain.territory import ISO_COUNTRIES


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("FR", "Europe/Paris"),
        ("GB", "Europe/London"),
        ("NO", "Europe/Oslo"),
        ("CA", "America/Vancouver"),
        ("US", "America/Adak"),
        ("AU", "Australia/Perth"),
        ("PT", "Atlantic/Azores"),
        ("NZ", "Pacific/Auckland"),
        ("BV", "UTC"),
    ],
)
def test_a_country_has_the_zone_in_which_its_day_begins_last(country, expected):
    assert expected == local_zone(country).key


def test_nearly_every_country_has_a_zone_of_its_own():
    assert {"BV", "HM"} == {country for country in ISO_COUNTRIES if local_zone(country).key == "UTC"}
