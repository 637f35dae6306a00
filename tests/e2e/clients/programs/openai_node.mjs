// OpenAI's client for Node.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const OpenAI = createRequire(process.env.NODE_ROOT + "/")("openai");
const client = new OpenAI({ baseURL: process.env.BASE_URL + "/v1", apiKey: process.env.API_KEY, maxRetries: 0 });
const model = "drover-tiny";
const messages = [{ role: "user", content: "What is the capital of France?" }];

const whole = await client.chat.completions.create({ model, messages, temperature: 0 });
assert.match(whole.choices[0].message.content, /Paris/);

let text = "";
const options = { include_usage: true };
for await (const chunk of await client.chat.completions.create({ model, messages, temperature: 0, stream: true, stream_options: options })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
assert.equal(text, whole.choices[0].message.content);

const parameters = { type: "object", properties: { city: { enum: ["Rome", "Oslo"] } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", parameters } }];
const runner = client.chat.completions.stream({ model, messages, tools, tool_choice: "required", parallel_tool_calls: false });
const called = await runner.finalChatCompletion();
assert.equal(called.choices[0].finish_reason, "tool_calls");
assert.ok(["Rome", "Oslo"].includes(JSON.parse(called.choices[0].message.tool_calls[0].function.arguments).city));

const first = await client.responses.create({ model, input: "My name is Anna.", temperature: 0 });
const second = await client.responses.create({ model, input: "What is my name?", previous_response_id: first.id, temperature: 0 });
assert.match(second.output_text, /Anna/);
const events = [];
for await (const event of client.responses.stream({ model, input: "Hello", temperature: 0 })) events.push(event.type);
assert.equal(events.at(-1), "response.completed");

const conversation = await client.conversations.create({});
await client.responses.create({ model, input: "My name is Tom.", conversation: conversation.id, temperature: 0 });
const items = await client.conversations.items.list(conversation.id);
assert.equal(items.data.length, 2);

const vectors = await client.embeddings.create({ model: "all-minilm-l6-v2", input: "a cat" });
assert.equal(vectors.data[0].embedding.length, 384);

await assert.rejects(client.chat.completions.create({ model: "none", messages }), (error) => error.status === 404);
