"""What the OpenAPI page shows as the answers of /v1/responses and /v1/conversations."""

from typing import Any

RESPONSE: dict[str, Any] = {
    "id": "resp_019aa0c0de007000800000000000c0de",
    "object": "response",
    "created_at": 1763596800,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "drover-tiny",
    "output": [
        {
            "id": "msg_019aa0c0de007000800000000000c0de",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Paris.", "annotations": [], "logprobs": []}],
        }
    ],
    "usage": {
        "input_tokens": 14,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 17,
    },
    "metadata": {},
    "background": False,
    "conversation": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
STREAM = (
    "id: 4\nevent: response.output_text.delta\n"
    'data: {"type":"response.output_text.delta","item_id":"msg_…","output_index":0,"content_index":0,'
    '"delta":"Paris","logprobs":[],"sequence_number":4}\n\n'
)
ITEM: dict[str, Any] = {
    "id": "msg_019aa0c0de007000800000000000c0de",
    "type": "message",
    "status": "completed",
    "role": "user",
    "content": [{"type": "input_text", "text": "My name is Anna."}],
}
CONVERSATION: dict[str, Any] = {
    "id": "conv_019aa0c0de007000800000000000c0de",
    "object": "conversation",
    "created_at": 1763596800,
    "metadata": {"topic": "names"},
}


def deleted(shown: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": shown["id"], "object": kind, "deleted": True}
