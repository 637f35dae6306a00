"""Instructor: objects of a Pydantic class out of a model."""

import os

import instructor
import openai
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int


base = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["API_KEY"])
messages = [{"role": "user", "content": "Anna is 30 years old."}]
for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):  # in its JSON mode a model must know by itself
    client = instructor.from_openai(base, mode=mode)
    person = client.chat.completions.create(
        model="drover-tiny", messages=messages, response_model=Person, max_tokens=200, max_retries=3, temperature=0
    )
    assert isinstance(person, Person), (mode, person)
