"""What the OpenAPI page shows as the answers of /v1/sessions."""

SESSION = {
    "id": "sess_0198c0de",
    "object": "session",
    "created_at": 1763596800,
    "updated_at": 1763596860,
    "title": "A talk",
    "metadata": {},
    "message_count": 2,
    "forked_from": None,
    "usage": {
        "turns": 1,
        "prompt_tokens": 12,
        "completion_tokens": 7,
        "total_tokens": 19,
        "cached_tokens": 0,
        "by_model": [
            {"model": "drover-tiny", "turns": 1, "prompt_tokens": 12, "completion_tokens": 7, "cached_tokens": 0}
        ],
        "first_activity_at": 1763596860,
        "last_activity_at": 1763596860,
    },
}
MESSAGE = {
    "id": "msg_0198c0de",
    "object": "session.message",
    "created_at": 1763596860,
    "turn_id": "0198c0de",
    "role": "assistant",
    "content": "Hello!",
    "name": None,
    "tool_calls": None,
    "tool_call_id": None,
    "tokens": 7,
    "finish_reason": "stop",
    "status": "completed",
    "model": "drover-tiny",
    "usage": {"prompt_tokens": 12, "completion_tokens": 7, "cached_tokens": 0},
    "truncation": {"dropped_messages": 0, "dropped_tokens": 0},
}
TURN = {
    "id": "0198c0de",
    "object": "session.turn",
    "session_id": "sess_0198c0de",
    "parent_turn_id": None,
    "model": "drover-tiny",
    "state": "done",
    "finish_reason": "stop",
    "error": None,
    "created_at": 1763596858,
    "finished_at": 1763596860,
    "metadata": {},
    "request": None,
    "usage": {"prompt_tokens": 12, "completion_tokens": 7, "cached_tokens": 0},
    "truncation": {"dropped_messages": 0, "dropped_tokens": 0},
    "output": MESSAGE,
}
