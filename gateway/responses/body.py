"""POST /v1/responses: OpenAI's request body, with Drover's few extras."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.ask import Ask, TurnAsk
from gateway.bodies.generation import TimedBody
from gateway.bodies.messages import MAX_MESSAGES
from gateway.bodies.sampling import INT64_MAX, SamplingFields
from gateway.responses.given_items import GivenItem, MessageItem, messages_of
from gateway.responses.identifiers import session_id_of, turn_id_of
from gateway.responses.refused_fields import IgnoredFields, Reasoning, RefusedFields
from gateway.responses.text_format import TextConfig
from gateway.responses.tools import ToolFields
from shared.bodies.messages import Message
from shared.bodies.turns import Metadata
from shared.errors import NotFoundError, PreviousResponseNotFoundError

LOGPROBS = "message.output_text.logprobs"
Includable = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
"""OpenAI's; all but the last are of things that are not here, and bring nothing."""

Include = Annotated[list[Includable], Field(max_length=32)]


class ConversationParam(BaseModel):
    """A conversation by its id."""

    model_config = ConfigDict(strict=True)

    id: str = Field(min_length=1, max_length=128)


class ResponseStreamOptions(BaseModel):
    """What OpenAI lets a caller choose of a stream."""

    include_obfuscation: bool | None = Field(default=None, description="ignored: nothing is added to hide lengths")


class CreateResponseBody(SamplingFields, ToolFields, TimedBody, RefusedFields, IgnoredFields):
    """A response. Unknown fields are refused, as OpenAI does; sampling has Drover's extras besides."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"model": "drover-tiny", "input": "What is the capital of France?"}},
    )

    model: str = Field(min_length=1, max_length=256)
    input: str | Annotated[list[GivenItem], Field(min_length=1, max_length=MAX_MESSAGES)] = Field(
        description="a text, or items: messages, function calls and their outputs"
    )
    instructions: str | None = Field(default=None, description="a system message for this response alone")
    previous_response_id: str | None = Field(
        default=None, min_length=1, max_length=128, description="its history comes before `input`"
    )
    conversation: Annotated[str, Field(min_length=1, max_length=128)] | ConversationParam | None = Field(
        default=None, description="its items come before `input`, and input and output go into it"
    )
    store: bool | None = Field(default=None, description="false: nobody can read it later, or go on from it")
    background: bool | None = Field(default=None, description="answer at once, and go on without anybody who waits")
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = Field(
        default=None, description="ignored: nothing is added to hide lengths"
    )
    include: Include | None = Field(default=None, description="logprobs; all else is of things that are not here")
    max_output_tokens: int | None = Field(default=None, ge=1, le=INT64_MAX)
    metadata: Metadata | None = None
    reasoning: Reasoning | None = Field(default=None, description="refused: an effort other than none is")
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = Field(
        default=None, description="flex: when there is room beside the others; all else is the default"
    )
    text: TextConfig | None = Field(default=None, description="`format`; a `verbosity` other than medium is refused")
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    truncation: Literal["auto", "disabled"] | None = Field(
        default=None, description="auto drops the oldest of a history that does not fit; otherwise it is a 400"
    )

    @field_validator("input")
    @classmethod
    def _has_something_to_answer(cls, given: Any) -> Any:
        if isinstance(given, list) and not messages_of(given):
            raise PydanticCustomError("nothing", "There is nothing to answer; send a message.")
        return given

    @field_validator("conversation")
    @classmethod
    def _is_the_only_history(cls, given: Any, info: ValidationInfo) -> Any:
        if given is not None and info.data.get("previous_response_id") is not None:
            raise PydanticCustomError("two_histories", "Give a conversation or previous_response_id, not both.")
        return given

    @field_validator("store")
    @classmethod
    def _is_kept_in_a_conversation(cls, store: bool | None, info: ValidationInfo) -> bool | None:
        if store is False and info.data.get("conversation") is not None:
            raise PydanticCustomError("stored", "A conversation keeps its responses: leave it out, or true.")
        return store

    @field_validator("background")
    @classmethod
    def _is_stored(cls, background: bool | None, info: ValidationInfo) -> bool | None:
        if background and info.data.get("store") is False:
            raise PydanticCustomError("not_stored", "A background response must be stored, or nobody could read it.")
        return background

    @property
    def messages(self) -> tuple[Message, ...]:
        if isinstance(self.input, str):
            return messages_of([MessageItem(role="user", content=self.input)])
        return messages_of(self.input)

    @property
    def conversation_id(self) -> str | None:
        return self.conversation.id if isinstance(self.conversation, ConversationParam) else self.conversation

    @property
    def is_stored(self) -> bool:
        return self.store is not False

    def ask(self) -> Ask:
        """Raises NotFoundError, PreviousResponseNotFoundError for ids that never were one."""
        tools = self.asked_tools()
        return Ask(
            api="responses",
            model=self.model,
            messages=self.messages,
            turn=self._turn(),
            sampling=self.sampling(),
            max_tokens=self.max_output_tokens,
            top_logprobs=(self.top_logprobs or 0) if LOGPROBS in (self.include or ()) else None,
            constraint=None if self.text is None or self.text.format is None else self.text.format.constraint(),
            tools=tools,
            tool_choice=self.asked_choice(),
            parallel_tool_calls=self.parallel_tool_calls is not False,
            priority="batch" if self.service_tier == "flex" else "interactive",
            is_background=bool(self.background),
        )

    def _turn(self) -> TurnAsk:
        return TurnAsk(
            session_id=None if self.conversation_id is None else require_session_id(self.conversation_id),
            parent_turn_id=None if self.previous_response_id is None else _parent(self.previous_response_id),
            instructions=self.instructions,
            is_stored=self.is_stored,
            truncation=self.truncation or "disabled",
            request=self.described(),
            metadata=self.metadata,
        )

    def described(self) -> dict[str, Any]:
        """What a response repeats of its request, in one order whether it comes from here or from Postgres."""
        repeated = {
            "background": bool(self.background),
            "conversation": None if self.conversation_id is None else {"id": self.conversation_id},
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "max_tool_calls": self.max_tool_calls,
            "previous_response_id": self.previous_response_id,
            "prompt_cache_key": self.prompt_cache_key,
            "reasoning": {"effort": None, "summary": None},
            "safety_identifier": self.safety_identifier,
            "service_tier": "flex" if self.service_tier == "flex" else "default",
            "store": self.is_stored,
            "temperature": 1.0 if self.temperature is None else self.temperature,
            "text": {"format": {"type": "text"}} if self.text is None else self.text.described(),
            "top_logprobs": self.top_logprobs or 0,
            "top_p": 1.0 if self.top_p is None else self.top_p,
            "truncation": self.truncation or "disabled",
            "user": self.user,
            **self.described_tools(),
        }
        in_order: dict[str, Any] = orjson.loads(orjson.dumps(repeated, option=orjson.OPT_SORT_KEYS))
        return in_order


def require_session_id(conversation: str) -> str:
    """Raises NotFoundError for what was never a conversation's id."""
    if (session_id := session_id_of(conversation)) is None:
        raise no_conversation(conversation)
    return session_id


def no_conversation(conversation: str) -> NotFoundError:
    return NotFoundError(f"Conversation with id '{conversation}' not found.", param="conversation")


def no_previous(response: str) -> PreviousResponseNotFoundError:
    return PreviousResponseNotFoundError(
        f"Previous response with id '{response}' not found.", param="previous_response_id"
    )


def _parent(response: str) -> str:
    if (turn_id := turn_id_of(response)) is None:
        raise no_previous(response)
    return turn_id
