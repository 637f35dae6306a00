"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's request bodies."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.anthropic.blocks import AnthropicMessage, System, text_of
from gateway.ask import Ask
from gateway.bodies.generation import StopString, TimedBody
from gateway.bodies.messages import MAX_MESSAGES
from gateway.bodies.refused import Refused
from gateway.bodies.response_format import Schema
from gateway.bodies.sampling import INT64_MAX
from gateway.bodies.tools import MAX_TOOLS, FunctionName, Parameters, fit_together
from shared.bodies.messages import Message
from shared.bodies.tools import Tool, ToolChoice
from shared.job import Constraint, SamplingParams

MAX_STOP_SEQUENCES = 16


class AnthropicTool(BaseModel):
    """A tool that the caller runs. Anthropic's own (web search, bash, …) are refused: nobody would run them."""

    model_config = ConfigDict(strict=True)

    type: Literal["custom"] | None = None
    name: FunctionName
    description: str | None = Field(default=None, max_length=16_384)
    input_schema: Parameters

    def as_tool(self) -> Tool:
        return Tool(name=self.name, description=self.description or "", parameters=self.input_schema)


class AnthropicToolChoice(BaseModel):
    """Which tool is to be called: any, none, the one with the `name`, or as the model likes."""

    model_config = ConfigDict(strict=True)

    type: Literal["auto", "any", "tool", "none"]
    name: FunctionName | None = None
    disable_parallel_tool_use: bool | None = None

    def as_choice(self) -> ToolChoice:
        if self.type in ("any", "tool"):
            return ToolChoice(mode="required", name=self.name if self.type == "tool" else None)
        return ToolChoice(mode="none" if self.type == "none" else "auto")


class Thinking(BaseModel):
    """No model of ours thinks in blocks of its own."""

    type: Literal["disabled", "enabled", "adaptive"]


class OutputFormat(BaseModel):
    """A schema that the answer's text follows."""

    model_config = ConfigDict(strict=True, populate_by_name=True, serialize_by_alias=True)

    type: Literal["json_schema"]
    json_schema: Schema = Field(alias="schema")


class OutputConfig(BaseModel):
    """What is wanted of the text; the effort is what it is."""

    format: OutputFormat | None = None

    def constraint(self) -> Constraint | None:
        if self.format is None:
            return None
        return Constraint(kind="json_schema", source=orjson.dumps(self.format.json_schema).decode())


class OtherFields(BaseModel):
    """Anthropic's fields that would change the answer are refused, those that change nothing here are taken."""

    cache_control: Any = Field(default=None, description="ignored: prompts share their beginnings anyway")
    container: Refused = Field(default=None, description="refused: there are none")
    context_management: Any = Field(default=None, description="ignored: it clears tool results and thinking, later")
    diagnostics: Any = Field(default=None, description="ignored: there are none")
    inference_geo: Any = Field(default=None, description="ignored: the server is where it is")
    mcp_servers: Refused = Field(default=None, description="refused: nothing calls them")
    service_tier: Any = Field(default=None, description="ignored: there is one")
    speed: Any = Field(default=None, description="ignored: there is one")
    user_profile_id: Any = Field(default=None, description="ignored: limits are the key's")
    workspace_id: Any = Field(default=None, description="ignored: the tenant is the key's")


class CountTokensRequestBody(BaseModel):
    """What is counted: everything that goes into the prompt. Unknown fields are ignored, there are new ones often."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"example": {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}},
    )

    model: str = Field(min_length=1, max_length=256)
    messages: list[AnthropicMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    system: System | None = Field(default=None, description="a text, or text blocks")
    tools: Annotated[list[AnthropicTool], Field(max_length=MAX_TOOLS), AfterValidator(fit_together)] | None = Field(
        default=None, description="the caller's own; Anthropic's are refused"
    )
    tool_choice: AnthropicToolChoice | None = Field(default=None, description="auto, any, tool or none")
    thinking: Thinking | None = Field(default=None, description="refused: `enabled` is, the others change nothing")

    @field_validator("messages")
    @classmethod
    def _go_together(cls, messages: list[AnthropicMessage]) -> list[AnthropicMessage]:
        if messages[-1].role != "user":
            raise PydanticCustomError("prefill", "The last message must be the user's: prefilled answers are not "
                                      "supported.")  # fmt: skip
        called: set[str] = set()
        for index, message in enumerate(messages):
            for said in message.as_messages():
                called.update(call.id for call in said.tool_calls or ())
                if said.role == "tool" and said.tool_call_id not in called:
                    raise PydanticCustomError("no_call", "Message {index} has a result of a tool_use that no message "
                                              "before it has.", {"index": index})  # fmt: skip
        return messages

    @field_validator("tool_choice")
    @classmethod
    def _is_one_of_them(cls, choice: AnthropicToolChoice | None, info: ValidationInfo) -> AnthropicToolChoice | None:
        if choice is None or choice.type in ("auto", "none") or "tools" not in info.data:
            return choice
        names = {tool.name for tool in info.data["tools"] or ()}
        if not names or (choice.type == "tool" and choice.name not in names):
            raise PydanticCustomError("unknown_tool", "It names none of the tools.")
        return choice

    @field_validator("thinking")
    @classmethod
    def _is_off(cls, thinking: Thinking | None) -> Thinking | None:
        if thinking is not None and thinking.type == "enabled":
            raise PydanticCustomError("unsupported", "Thinking is not supported; leave it out.")
        return thinking

    def prompt(self) -> tuple[Message, ...]:
        system = [Message(role="system", content=text_of(self.system))] if self.system else []
        return (*system, *(one for message in self.messages for one in message.as_messages()))

    def asked_tools(self) -> tuple[Tool, ...]:
        return tuple(tool.as_tool() for tool in self.tools or ())


class MessagesBody(CountTokensRequestBody, TimedBody, OtherFields):
    """A request for the next message."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "drover-tiny",
                "max_tokens": 64,
                "messages": [{"role": "user", "content": "What is the capital of France?"}],
            }
        }
    )

    max_tokens: int = Field(ge=1, le=INT64_MAX)
    temperature: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    top_p: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(default=None, ge=0, le=1_000_000)
    stop_sequences: Annotated[list[StopString], Field(max_length=MAX_STOP_SEQUENCES)] | None = None
    output_config: OutputConfig | None = Field(default=None, description="`format`; an `effort` is ignored")
    stream: bool | None = None
    metadata: dict[str, Any] | None = Field(default=None, description="ignored: nobody keeps it")

    def ask(self) -> Ask:
        choice = self.tool_choice or AnthropicToolChoice(type="auto")
        sampling = {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}
        return Ask(
            api="messages",
            model=self.model,
            messages=self.prompt(),
            sampling=SamplingParams(**{name: value for name, value in sampling.items() if value is not None}),
            max_tokens=self.max_tokens,
            stop=tuple(self.stop_sequences or ()),
            constraint=self.output_config.constraint() if self.output_config is not None else None,
            tools=self.asked_tools(),
            tool_choice=choice.as_choice(),
            parallel_tool_calls=not choice.disable_parallel_tool_use,
        )
