import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.dicom_deid import wording
from fourfold.tasks.dicom_deid.numbers import Numbers, digits_of
from fourfold.tasks.dicom_deid.people import BANDS, ORIGINS, Name, Names, parts, people, value, written_in
from fourfold.tasks.dicom_deid.romanised import latin_letters

N = 10 * len(ORIGINS)


@pytest.fixture(scope="module")
def drawn():
    return people(np.random.default_rng(7), N)


def test_every_native_name_is_in_its_script(drawn):
    assert len(ORIGINS) >= 13
    assert {person.origin for person in drawn} == set(ORIGINS)
    for person in drawn:
        assert all(written_in(part, person.script) for part in person.native), person.native
        assert all(written_in(part, "Latin") for part in person.latin), person.latin


@pytest.mark.parametrize(
    ("text", "script", "expected"),
    [("Иванов", "Cyrillic", True), ("Ivanov", "Cyrillic", False), ("O'Brien", "Latin", True),
     ("佐々木", "Japanese", True), ("あすか", "Japanese", True),
     ("あすか", "Han", False), ("김", "Hangul", True), ("محمد", "Arabic", True),
     ("12", "Latin", False), ("Ivanоv", "Latin", False)],
)  # fmt: skip
def test_scripts_are_told_apart(text, script, expected):
    assert written_in(text, script) is expected


def test_a_locale_that_gives_english_is_refused():
    names = Names(np.random.default_rng(0))
    from faker import Faker

    names.fakers["ar_AA"] = Faker("ar_EG")
    with pytest.raises(RuntimeError, match="not in Arabic letters"):
        names("ar_AA", "F")


def test_origin_sex_and_age_are_balanced(drawn):
    counts = Counter((person.origin, person.sex, person.groups["age"]) for person in drawn)
    assert len(counts) == len(ORIGINS) * 2 * len(BANDS)
    assert set(counts.values()) == {1}


def test_names_have_the_traits_they_claim(drawn):
    by_trait = {trait: [person for person in drawn if person.trait == trait] for trait in {p.trait for p in drawn}}
    assert set(by_trait) == {"plain", "short", "hyphenated", "particle", "polysemous"}
    assert all("-" in person.latin[0] for person in by_trait["hyphenated"])
    assert all(person.latin[0] in wording.POLYSEMOUS for person in by_trait["polysemous"])
    assert all(re.search(r"[ '’]|^Mc|^Al", person.latin[0]) for person in by_trait["particle"])
    assert np.mean([len(p.latin[0]) for p in by_trait["short"]]) < np.mean([len(p.latin[0]) for p in by_trait["plain"]])


def test_no_name_is_a_clinical_word_unless_it_is_meant_to_be(drawn):
    assert {name.casefold() for name in wording.POLYSEMOUS} <= wording.WORDS
    for person in drawn:
        if person.trait != "polysemous":
            assert not parts(Name(person.native, person.latin)) & wording.WORDS


def test_no_number_is_another_persons(drawn):
    for kind in ("mrn", "ssn", "phone", "email", "address", "account"):
        values = [digits_of(person.numbers[kind]) for person in drawn]
        assert len(set(values)) == len(drawn)
    digits = ["".join(re.findall(r"\d", person.numbers[kind])) for person in drawn for kind in ("mrn", "ssn", "phone")]
    assert min(map(len, digits)) >= 8


def test_within_an_origin_all_family_names_differ(drawn):
    for origin in set(ORIGINS) - {"vi_VN", "ko_KR", "zh_CN"}:  # These have few, and polysemous ones of no choice.
        families = [p.latin[0] for p in drawn if p.origin == origin and p.trait != "polysemous"]
        assert len(set(families)) == len(families)


def test_every_age_agrees_with_the_day_of_birth(drawn):
    for person in drawn:
        born, epoch = int(person.day), 20240101
        assert (epoch - born) // 10000 == person.age


@pytest.mark.parametrize(
    ("name", "expected"),
    [(Name(("山田", "太郎"), ("Yamada", "Taro"), ("ヤマダ", "タロウ")), "Yamada^Taro=山田^太郎=ヤマダ^タロウ"),
     (Name(("홍", "길동"), ("Hong", "Gildong")), "Hong^Gildong==홍^길동"),
     (Name(("王", "小东"), ("Wang", "Xiaodong")), "Wang^Xiaodong=王^小东"),
     (Name(("Иванов", "Иван"), ("Ivanov", "Ivan")), "Иванов^Иван")],
)  # fmt: skip
def test_person_names_have_the_component_groups_of_ps35(name, expected):
    assert value(name) == expected


def test_a_script_that_an_archive_cannot_store_is_transliterated():
    assert value(Name(("Иванов", "Иван"), ("Ivanov", "Ivan")), native=False) == "Ivanov^Ivan"


@pytest.mark.parametrize(
    ("text", "origin", "expected"),
    [("Кузьмина", "ru_RU", "Kuzmina"), ("محمد", "ar_AA", "Mahamad"), ("רחל", "he_IL", "Rachal"),
     ("Εμμανουηλίδου", "el_GR", "Emmanouilidou"), ("खत्री", "hi_IN", "Khatri"), ("지혜", "ko_KR", "Jihye"),
     ("เยาว", "th_TH", "Yeaw"), ("小东", "zh_CN", "Xiaodong")],
)  # fmt: skip
def test_names_are_spelled_in_latin_letters(text, origin, expected):
    assert latin_letters(text, origin) == expected


def test_what_has_no_letters_cannot_be_spelled():
    with pytest.raises(ValueError, match="nothing is left"):
        latin_letters("123", "ru_RU")


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 40))
def test_equal_generators_draw_equal_people(seed, n):
    assert people(np.random.default_rng(seed), n) == people(np.random.default_rng(seed), n)


def test_a_large_roster_still_has_unlike_names():
    drawn = people(np.random.default_rng(3), 300)
    assert len({(person.native, person.day) for person in drawn}) == 300
    assert len({person.native for person in drawn}) > 295


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_numbers_follow_their_pattern(seed):
    draw = Numbers(np.random.default_rng(seed)).draw
    assert re.fullmatch(r"[A-Z]{2}-[1-9]\d{3} \d{2}", draw("@@-#### ##"))
