"""A request as a response repeats it."""

from gateway.responses.body import CreateResponseBody

TURN_ID = "019aa0c0de007000800000000000c0de"
REQUEST = CreateResponseBody(model="drover-tiny", input="Hi").described()
