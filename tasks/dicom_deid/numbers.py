"""Numbers and addresses by which a person is known, in the way of their country, none of them drawn twice."""

import re
from collections.abc import Mapping

import numpy as np

_PHONES = {
    "en_US": "(###) 55#-####", "es_MX": "+52 ## #### ####", "de_DE": "+49 ### #######", "pl_PL": "+48 ### ### ###",
    "vi_VN": "+84 ## ### ####", "ru_RU": "+7 ### ###-##-##", "el_GR": "+30 ### ### ####", "ar_AA": "+966 ## ### ####",
    "fa_IR": "+98 ### ### ####", "he_IL": "+972 ## ### ####", "hi_IN": "+91 ##### #####", "th_TH": "+66 ## ### ####",
    "zh_CN": "+86 ### ########", "ja_JP": "+81 ## #### ####", "ko_KR": "+82 ## #### ####",
}  # fmt: skip
_IDENTITIES = {
    "en_US": "9##-##-####", "ru_RU": "###-###-### ##", "ko_KR": "######-#######", "zh_CN": "#################X",
    "hi_IN": "#### #### ####", "th_TH": "#-####-#####-##-#",
}  # fmt: skip
_RECORDS = ("##########", "@@########", "@#######-#", "MRN#########")
_ADDRESSES = {
    "en_US": ("#### {street} St, {town} #####", "Linden Chestnut Juniper", "Ashford Milbrook Fairview"),
    "es_MX": ("Calle {street} ####, ##### {town}", "Jacarandas Insurgentes Reforma", "Puebla Oaxaca Zapopan"),
    "de_DE": ("{street} ####, ##### {town}", "Lindenstraße Uferweg Gartenstraße", "Göttingen Lübeck Würzburg"),
    "pl_PL": ("ul. {street} ####, ##-### {town}", "Lipowa Długa Słoneczna", "Kraków Łódź Gdańsk"),
    "vi_VN": ("#### Đường {street}, {town} #####", "Hoa-Sen Tràng-Tiền Hàng-Bạc", "Huế Đà-Nẵng Cần-Thơ"),
    "ru_RU": ("ул. {street} ####, {town} ######", "Садовая Лесная Речная", "Казань Тверь Омск"),
    "el_GR": ("Οδός {street} ####, {town} #####", "Ακαδημίας Σταδίου Αθηνάς", "Πάτρα Βόλος Λάρισα"),
    "ar_AA": ("شارع {street} ####, {town} #####", "النخيل الورود المطار", "جدة الرياض دمشق"),
    "fa_IR": ("خیابان {street} ####, {town} #####", "بهار انقلاب لاله", "شیراز اصفهان تبریز"),
    "he_IL": ("רחוב {street} ####, {town} #######", "הגפן הזית השקד", "חיפה נתניה אשדוד"),
    "hi_IN": ("#### {street} मार्ग, {town} ######", "अशोक कमल गुलाब", "जयपुर भोपाल पटना"),
    "th_TH": ("#### ถนน{street}, {town} #####", "สุขุมวิท พระราม สีลม", "เชียงใหม่ ขอนแก่น ระยอง"),
    "zh_CN": ("{town}{street}####号 ######", "中山路 解放路 人民路", "南京市 成都市 杭州市"),
    "ja_JP": ("###-#### {town}{street}####番地", "桜町 緑町 本町", "横浜市 札幌市 仙台市"),
    "ko_KR": ("{town} {street} ####, #####", "한강로 중앙로 세종로", "부산시 대구시 광주시"),
}
PLACES = frozenset(
    word.casefold()
    for _, streets, towns in _ADDRESSES.values()
    for word in f"{streets} {towns}".replace("-", " ").split()
)
"""The words in addresses, in lower case: what no name may equal by chance."""
_SEPARATORS = re.compile(r"[^0-9A-Za-z]")
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class Numbers:
    """Draws numbers, of which no two agree when their separators are taken out."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.taken: set[str] = set()

    def __call__(self, origin: str, latin: tuple[str, str]) -> Mapping[str, str]:
        """A person's, by kind; ``latin``: the (family, given) name that stands in the e-mail address."""
        from anyascii import anyascii

        pattern, streets, towns = _ADDRESSES[origin]
        street, town = (str(self.rng.choice(words.split())).replace("-", " ") for words in (streets, towns))
        local = ".".join(re.sub("[^a-z]", "", anyascii(part).lower()) for part in latin[::-1])
        return {
            "mrn": self.draw(str(self.rng.choice(_RECORDS))),
            "ssn": self.draw(_IDENTITIES.get(origin, "###########")),
            "phone": self.draw(_PHONES[origin]),
            "email": self.draw(f"{local[:40]}####@mail.example"),
            "address": self.draw(pattern.format(street=street, town=town)),
            "account": self.draw("AC-########"),
        }

    def draw(self, pattern: str) -> str:
        """A new one: ``#`` becomes a digit, the first no 0, and ``@`` a capital letter."""
        while True:
            digits = iter(self.rng.integers(0, 10, len(pattern)).tolist())
            start, end = pattern.split("@mail") if "@mail" in pattern else (pattern, "")
            text = "".join(
                str(next(digits)) if sign == "#" else _LETTERS[int(self.rng.integers(24))] if sign == "@" else sign
                for sign in start
            ) + ("@mail" + end if end else "")
            bare = digits_of(text) or text
            if bare not in self.taken and not re.match(r"\D*0", text):
                self.taken.add(bare)
                return text


def digits_of(text: str) -> str:
    """Its letters and digits, without separators."""
    return _SEPARATORS.sub("", text)
