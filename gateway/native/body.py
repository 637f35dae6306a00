"""POST /api/chat, POST /api/generate, POST /api/embeddings: the native bodies."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from gateway.ask import Ask, TurnAsk
from gateway.bodies.generation import Stop, TimedBody
from gateway.bodies.messages import MessageBodies, as_messages
from gateway.bodies.sampling import INT64_MAX, SamplingFields
from shared.bodies.messages import Message

Model = Annotated[
    str | None, Field(min_length=1, max_length=256, description="the catalogue's first model of its kind if left out")
]


class GenerationFields(SamplingFields, TimedBody):
    """What chat and generate have in common. They stream unless asked otherwise."""

    model: Model = None
    max_tokens: int | None = Field(default=None, ge=1, le=INT64_MAX)
    stop: Stop = None
    stream: bool = True


class NativeChatBody(GenerationFields):
    """A `message` to a conversation that Drover keeps, a new one if `session_id` is left out; or all the `messages`.

    `messages` without a session are answered and not kept.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"model": "drover-tiny", "message": "What is the capital of France?"}}
    )

    message: str | None = Field(default=None, min_length=1)
    messages: MessageBodies | None = None
    system: str | None = Field(default=None, description="replaces the conversation's system message")
    session_id: str | None = Field(default=None, min_length=1, max_length=128)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.message is None) == (self.messages is None):
            raise PydanticCustomError("one_of", "Give either 'message' or 'messages'.")
        return self

    @property
    def opens_session(self) -> bool:
        return self.message is not None and self.session_id is None

    def ask(self, model: str, session_id: str | None) -> Ask:
        """Raises BadRequestError for messages that do not go together."""
        system = [Message(role="system", content=self.system)] if self.system is not None else []
        if self.message is not None:
            said = [Message(role="user", content=self.message)]
        else:
            said = list(as_messages(self.messages or (), has_history=session_id is not None))
        return Ask(
            api="native",
            model=model,
            messages=(*system, *said),
            turn=None if session_id is None else TurnAsk(session_id),
            sampling=self.sampling(),
            max_tokens=self.max_tokens,
            stop=tuple(self.stop or ()),
        )


class NativeGenerateBody(GenerationFields):
    """A `prompt` that goes to the model as it is."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"model": "drover-tiny", "prompt": "Once upon a time", "max_tokens": 32}}
    )

    prompt: str = Field(min_length=1)

    def ask(self, model: str) -> Ask:
        return Ask(
            api="native",
            model=model,
            prompt=self.prompt,
            sampling=self.sampling(),
            max_tokens=self.max_tokens,
            stop=tuple(self.stop or ()),
        )


class NativeEmbeddingsBody(BaseModel):
    """One text or several."""

    model_config = ConfigDict(json_schema_extra={"example": {"input": ["a cat", "a dog"]}})

    model: Model = None
    input: str | Annotated[list[str], Field(min_length=1, max_length=2048)]


class NativeEmbeddingsAnswerBody(BaseModel):
    """A vector for each text, in their order; `prompt_tokens` of all together."""

    model: str
    embeddings: list[list[float]]
    prompt_tokens: int


class NativeModelBody(BaseModel):
    """One model. `loaded`: a worker holds it now."""

    name: str
    kind: str
    context_length: int
    description: str
    loaded: bool


class NativeModelsBody(BaseModel):
    """All models of the catalogue."""

    models: list[NativeModelBody]
