"""generate(), chat() and embed(), which a model and a context have."""

import secrets
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, Optional, Sequence, Tuple, Union, overload

from .chat import ChatTemplate, Message
from .embedding import Vectors, embed, embed_all
from .errors import UnsupportedError
from .generation import Generation, Stop
from .sampler import Sampler, SamplerOptions
from .tokenizer import Tokens

if TYPE_CHECKING:
    from typing_extensions import Literal, Unpack

    from .context import Context

Prompt = Union[str, Tokens]


class Writer:
    """What needs a context to write with."""

    def _open(self) -> "Tuple[Context, Optional[Callable[[], None]]]":
        """A context, and what to call when it is no longer needed."""
        raise NotImplementedError

    @overload
    def generate(self, prompt: Prompt, *, max_tokens: Optional[int] = ..., stop: Stop = ..., stream: "Literal[False]" = ...,
                 **options: "Unpack[SamplerOptions]") -> str: ...
    @overload
    def generate(self, prompt: Prompt, *, max_tokens: Optional[int] = ..., stop: Stop = ..., stream: "Literal[True]",
                 **options: "Unpack[SamplerOptions]") -> Generation: ...
    def generate(self, prompt: Prompt, *, max_tokens: Optional[int] = 256, stop: Stop = (), stream: bool = False,
                 **options: "Unpack[SamplerOptions]") -> Union[str, Generation]:
        """Continues a text (or token ids): to max_tokens (None: no bound), one of the strings `stop`, the model's own end or that
        of the context. `options` are those of Sampler; without a seed, it is another one each time.

        stream=True returns an iterator of the pieces. Prompt and text become sequence 0 of the context's cache; what the cache holds of
        the prompt is not computed again.
        """
        return self._write(lambda model: model.tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt),
                           max_tokens, stop, stream, options)

    @overload
    def chat(self, messages: Sequence[Message], *, max_tokens: Optional[int] = ..., stop: Stop = ...,
             stream: "Literal[False]" = ..., chat_template: Optional[ChatTemplate] = ...,
             chat_template_kwargs: Optional[Mapping[str, Any]] = ..., **options: "Unpack[SamplerOptions]") -> str: ...
    @overload
    def chat(self, messages: Sequence[Message], *, max_tokens: Optional[int] = ..., stop: Stop = ...,
             stream: "Literal[True]", chat_template: Optional[ChatTemplate] = ...,
             chat_template_kwargs: Optional[Mapping[str, Any]] = ..., **options: "Unpack[SamplerOptions]") -> Generation: ...
    def chat(self, messages: Sequence[Message], *, max_tokens: Optional[int] = None, stop: Stop = (), stream: bool = False,
             chat_template: Optional[ChatTemplate] = None, chat_template_kwargs: Optional[Mapping[str, Any]] = None,
             **options: "Unpack[SamplerOptions]") -> Union[str, Generation]:
        """The model's answer to a conversation, [{"role": "user", "content": "…"}, …]; the rest is as in generate().

        chat_template: one to use instead of the model's own. chat_template_kwargs: further variables of it (tools, thinking, …).
        """

        def encode(model: Any) -> List[int]:
            template = chat_template or model.chat_template
            if template is None:
                raise UnsupportedError("the model file has no chat template: pass one, chat_template=mla.ChatTemplate(source)")
            tokens: List[int] = template.encode(model.tokenizer, messages, **(chat_template_kwargs or {}))
            return tokens

        return self._write(encode, max_tokens, stop, stream, options)

    def embed(self, text: Union[str, Sequence[str]], *, pooling: str = "mean", normalize: bool = True) -> Vectors:
        """A vector for a text, float32 [n_embd], or one for each of several, [n_texts, n_embd].

        pooling: "mean" of the tokens' embeddings, that of the "last" token, or "none": all of them, [n_tokens, n_embd]. normalize:
        to length 1, so that the product of two is their cosine.
        """
        context, on_close = self._open()
        try:
            encode = context.model.tokenizer.encode
            if isinstance(text, str):
                return embed(context, encode(text), pooling, normalize)
            return embed_all(context, [encode(one) for one in text], pooling, normalize)
        finally:
            if on_close:
                on_close()

    def _write(self, encode: Callable[[Any], List[int]], max_tokens: Optional[int], stop: Stop, stream: bool,
               options: Any) -> Union[str, Generation]:
        context, on_close = self._open()
        try:
            sampler = Sampler(**{"seed": secrets.randbits(64), **options})
            generation = Generation(context, encode(context.model), sampler, max_tokens, stop, on_close)
        except BaseException:
            if on_close:
                on_close()
            raise
        if stream:
            return generation
        with generation:
            return "".join(generation)
