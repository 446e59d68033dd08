import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.report.word_diff import DiffPiece, WordEdit, word_diff

S, M, X = WordEdit.SAME, WordEdit.MISSING, WordEdit.EXTRA


@pytest.mark.parametrize(
    ("text", "heard", "pieces"),
    [
        ("one two", "one two", [(S, "one two")]),
        ("One, two!", "one two", [(S, "one two")]),
        ("one two three", "one three", [(S, "one "), (M, "two "), (S, "three")]),
        ("one three", "one two three", [(S, "one "), (X, "two "), (S, "three")]),
        ("one two", "one three", [(S, "one "), (M, "two"), (X, "three")]),
        ("one two", "", [(M, "one two")]),
        ("", "one", [(X, "one")]),
        ("", "", []),
        ("one – two", "one two", [(S, "one "), (S, "two")]),
        ("天気が", "天木が", [(S, "天"), (M, "気"), (X, "木"), (S, "が")]),
        ("שלום עולם", "שלום", [(S, "שלום"), (M, "עולם")]),
        ("fine 🙂", "fine", [(S, "fine")]),
        ("<b>one</b> two", "<b>one</b> two", [(S, "<b>one</b> two")]),
    ],
)
def test_words_are_the_same_missing_or_extra(text, heard, pieces):
    assert [(piece.kind, piece.text.strip()) for piece in word_diff(text, heard)] == [
        (kind, words.strip()) for kind, words in pieces
    ]


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_pieces_spell_the_transcript(text, heard):
    pieces = word_diff(text, heard)
    assert "".join(piece.text for piece in pieces if piece.kind is not M) == heard.strip()
    assert word_diff(heard, heard) == ([DiffPiece(S, heard.strip())] if heard.strip() else [])
