from models.minilm.convert import llama_cpp_token


def test_a_token_that_begins_a_word_is_marked() -> None:
    assert llama_cpp_token("house") == "▁house"


def test_a_token_within_a_word_loses_its_hashes() -> None:
    assert llama_cpp_token("##ing") == "ing"


def test_a_special_token_stays_as_it_is() -> None:
    assert llama_cpp_token("[CLS]") == "[CLS]"
