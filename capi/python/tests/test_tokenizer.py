import pytest

import mla

TEXTS = ["", "In the beginning", "naïve café — 你好, 🌊🐋!", "a\0b", "  spaces \n\n lines", "<｜User｜>"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back(model: mla.Model, text: str) -> None:
    tokens = model.tokenizer.encode(text)
    assert model.tokenizer.decode(tokens) == text
    assert model.tokenizer.encode(text.encode()) == tokens
    stream = model.tokenizer.stream()
    assert "".join([stream.push(token) for token in tokens] + [stream.finish()]) == text


def test_no_half_characters(model: mla.Model) -> None:
    tokens = model.tokenizer.encode("🌊", add_special=False)
    assert len(tokens) > 1
    with model.tokenizer.stream() as stream:
        assert [stream.push(token) for token in tokens] == [""] * (len(tokens) - 1) + ["🌊"]
        stream.push(tokens[0])
        assert stream.finish() == "\N{REPLACEMENT CHARACTER}"
    assert model.tokenizer.decode(tokens[:1]) == "\N{REPLACEMENT CHARACTER}"
    assert "🌊".encode().startswith(model.tokenizer.decode_bytes(tokens[:1]))


def test_special_tokens(model: mla.Model) -> None:
    tokenizer = model.tokenizer
    assert tokenizer.bos is not None and tokenizer.eos is not None
    text = tokenizer.piece(tokenizer.eos).decode()
    assert tokenizer.find(text) == tokenizer.eos and tokenizer.kind(tokenizer.eos) == mla.TokenKind.control
    assert tokenizer.encode(text, add_special=False, parse_special=True) == [tokenizer.eos]
    assert tokenizer.eos not in tokenizer.encode(text)
    assert tokenizer.decode([tokenizer.eos]) == "" and tokenizer.decode([tokenizer.eos], show_special=True) == text
    assert tokenizer.is_end_of_generation(tokenizer.eos) and not tokenizer.is_end_of_generation(tokenizer.bos)
    assert (tokenizer.encode("a")[0] == tokenizer.bos) == tokenizer.add_bos
    assert len(tokenizer) == model.info.n_vocab and tokenizer.pre == "deepseek-v3"
    assert tokenizer.find("no token has this text") is None


def test_ids_that_are_not_there(model: mla.Model) -> None:
    for token in (-1, 2048, 2**31 - 1):
        for call in (model.tokenizer.piece, model.tokenizer.kind, lambda t: model.tokenizer.decode([t])):
            with pytest.raises(mla.InvalidArgumentError):
                call(token)


def test_the_tokenizer_keeps_the_model_alive() -> None:
    loaded = mla.Model.load(mla.demo_model())
    tokenizer = loaded.tokenizer
    loaded.close()
    del loaded
    assert tokenizer.decode(tokenizer.encode("still here")) == "still here"


def test_chat_template(model: mla.Model) -> None:
    template = model.chat_template
    assert template is not None
    messages = [{"role": "user", "content": "Hi <｜Assistant｜>"}]
    text = template.render(messages, bos_token="B", eos_token="E")
    assert text == "B<｜User｜>Hi <｜Assistant｜><｜Assistant｜>"
    assert not template.render(messages, add_generation_prompt=False).endswith("<｜Assistant｜><｜Assistant｜>")
    tokens = template.encode(model.tokenizer, messages)
    assistant = model.tokenizer.find("<｜Assistant｜>")
    assert tokens.count(assistant or -1) == 1 and tokens[-1] == assistant  # the user's text stayed text
    with pytest.raises(mla.BadFileError):
        mla.ChatTemplate("{% if %}")
    refusing = mla.ChatTemplate("{{ raise_exception('users come first') }}")
    with pytest.raises(mla.InvalidArgumentError, match="users come first"):
        refusing.render(messages)
