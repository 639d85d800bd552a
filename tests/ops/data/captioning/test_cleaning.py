import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.data.captioning.cleaning import cleaned, mended, readable_share


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("  A Dog  Runs ", "a dog runs"),
        ("a%20dog+runs", "a dog runs"),
        ("a <person> walks", "a person walks"),
        ("see https://x.com/a?b=1 now", "see now"),
        ("visit www.example.com/pictures, or example.org", "visit or"),
        ("<b>bold</b> <br/>text", "bold text"),
        ("photo by @nick here", "photo by here"),
        ("\u31c0\u31f0\u3200\u3300\u3400\u4dc0 corp", "corp"),
        ("one \u2013 two \u2014 three \u2212 four", "one - two - three - four"),
        ("\u201chi\u201d \u00abthere\u00bb it\u2019s `me`", '"hi" "there" it\'s "me"'),
        ("tom &quot;x&quot; &amp; y", 'tom "x" y'),
        ("tom &amp;quot;x&amp;quot; y", 'tom "x" y'),
        ("server 192.168.0.1 is up", "server is up"),
        ("lot #1 and #12345", "lot and"),
        ("lot 12345 and 123456", "lot 12345 and"),
        ("img_20.jpg of a cat", "of a cat"),
        ('wow """great""" work', 'wow "great" work'),
        ("wait... what . now", "wait what now"),
        ("a (cat) [dog] {x} | y \\ z / w * # ® • © ™ @ · º ½ ¾ ¿ ¡ § ~ end", "a cat dog x y z w end"),
        ("a-b-c-d-e", "a b c d e"),
        ("a-b_c-d", "a-b_c-d"),
        ("cafÃ© au lait â€“ great", "café au lait - great"),
        ("Ã¼ber \u4e00", "über"),
        ("jc6640 and jc6640vc and 6640vc231 and mp3", "and and and mp3"),
        ("free shipping and worldwide shipping of shoes", "and of shoes"),
        ("free download now, download free", "now"),
        ("click for more, click on it", ""),
        ("a png image and a jpeg of a dog", "a and a of a dog"),
        ("a cat, page 12", "a cat"),
        ("poster 30x40 cm, 1920 \u00d7 1080", "poster cm"),
        ('"A dog."', "a dog"),
        ("'A dog'", "a dog"),
        ("- a dog, ", "a dog"),
        ("two\nlines", "two lines"),
        ("", ""),
        (" ... ", ""),
    ],
)
def test_each_rule_of_the_specification(written: str, clean: str):
    assert cleaned(written, keep_cjk=False) == clean


def test_ideographs_stay_for_encoders_that_know_them():
    assert cleaned("\u4e00\u53ea\u732b sits", keep_cjk=True) == "\u4e00\u53ea\u732b sits"
    assert cleaned("\u4e00\u53ea\u732b sits", keep_cjk=False) == "sits"


@pytest.mark.parametrize(
    ("written", "share"),
    [
        ("a grey rabbit", 1.0),
        ("\u4e00\u53ea\u732b", 0.0),
        ("\u4e00\u53ea\u732b cat", 0.5),
        ("1990s: 3 x 4 + 5", 1.0),
        ("...", 0.0),
        ("https://example.com", 0.0),
        ("caf\u00e9 \u043a\u043e\u0442", 1.0),
    ],
)
def test_how_much_of_a_caption_an_encoder_without_ideographs_reads(written: str, share: float):
    assert readable_share(written, keep_cjk=False) == share
    assert readable_share(written, keep_cjk=True) == (0.0 if share == 0 and "\u4e00" not in written else 1.0)


@pytest.mark.parametrize("text", ["plain", "café", "für Ã and nothing else", "naïve œuvre \u2013 fin"])
def test_text_that_is_as_it_was_written_is_not_mended(text: str):
    assert mended(text) == text


def test_a_real_caption_loses_nothing_but_its_capitals():
    caption = (
        "A grey rabbit stands in a green meadow, looks around and yawns; 3 birds fly past at 5 p.m. in 1990s light"
    )
    assert cleaned(caption, keep_cjk=False) == caption.lower()


@given(st.text())
def test_any_text_becomes_one_lower_line_and_is_done_once(text: str):
    clean = cleaned(text, keep_cjk=True)
    assert clean == clean.strip()
    assert "\n" not in clean
    assert "  " not in clean
