// Calls a server with the official Node SDK, and prints one line of JSON per case: its name and what came.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [base, modules] = process.argv.slice(2);
const { default: OpenAI } = await import(pathToFileURL(createRequire(`${modules}/package.json`).resolve("openai")));
const client = new OpenAI({ baseURL: base, apiKey: "sk-sdk-test", maxRetries: 0, timeout: 30000 });
const messages = [{ role: "user", content: "hi there" }];
const tool = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const chat = (model, more = {}, options = {}) =>
  client.chat.completions.create({ model, messages, ...more }, options);
const words = (text) => `${text.split(/\s+/).filter(Boolean).length} words`;
const all = async (stream) => {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
};
const raised = async (call) => {
  try {
    await call();
  } catch (error) {
    return `${error.constructor.name} ${error.status ?? "-"} ${error.code ?? ""}`;
  }
  return "nothing raised";
};

const cases = {
  async plain() {
    const answer = await chat("sim:n-6");
    const [choice] = answer.choices;
    return `${words(choice.message.content)}, ${choice.finish_reason}, ${answer.usage.completion_tokens} tokens`;
  },
  async streamed() {
    const chunks = await all(chat("sim:n-6", { stream: true }));
    const text = chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join("");
    return `${words(text)}, ${chunks.length} chunks, ${chunks.at(-1).choices[0].finish_reason}`;
  },
  async streamed_with_usage() {
    const chunks = await all(chat("sim:n-6", { stream: true, stream_options: { include_usage: true } }));
    return `${chunks.length} chunks, ${chunks.at(-1).usage.completion_tokens} tokens`;
  },
  async parallel_20() {
    const asked = Array.from({ length: 20 }, (_, i) => all(chat(`sim:ft-20ms:gap-2ms:n-${i + 1}`, { stream: true })));
    return `${(await Promise.all(asked)).filter((chunks) => chunks.length > 2).length} answered`;
  },
  async tools() {
    const answer = await chat("sim:tools-2", { tools: [tool], tool_choice: "required" });
    const calls = answer.choices[0].message.tool_calls;
    return `${calls.map((call) => call.function.name)}, ${calls.every((call) => "city" in JSON.parse(call.function.arguments))}`;
  },
  async tools_streamed() {
    const stream = client.chat.completions.stream({ model: "sim:tools-1", messages, tools: [tool], tool_choice: "required" });
    const final = await stream.finalChatCompletion();
    return `${final.choices[0].message.tool_calls.map((call) => call.function.name)}, ${final.choices[0].finish_reason}`;
  },
  async structured() {
    const schema = {
      type: "object",
      properties: { name: { type: "string" }, age: { type: "integer" } },
      required: ["name", "age"],
      additionalProperties: false,
    };
    const response_format = { type: "json_schema", json_schema: { name: "person", strict: true, schema } };
    const answer = await chat("sim", { response_format });
    const person = JSON.parse(answer.choices[0].message.content);
    return `${typeof person.name}, ${typeof person.age}`;
  },
  async embeddings() {
    const answer = await client.embeddings.create({ model: "sim", input: ["a", "b"], dimensions: 8 });
    return `${answer.data.length} of ${answer.data[0].embedding.length}`;
  },
  async responses() {
    const answer = await client.responses.create({ model: "sim:n-6", input: "hi there" });
    return `${words(answer.output_text)}, ${answer.status}`;
  },
  async responses_streamed() {
    const events = await all(client.responses.create({ model: "sim:n-6", input: "hi there", stream: true }));
    const deltas = events.filter((event) => event.type === "response.output_text.delta");
    return `${deltas.length} deltas, ${events.at(-1).type}`;
  },
  async cancelled_mid_stream() {
    const stream = await chat("sim:n-1000:gap-5ms", { stream: true });
    let seen = 0;
    for await (const _ of stream) if (++seen === 5) break;
    const answer = await chat("sim:n-3");
    return `closed after ${seen}, then ${words(answer.choices[0].message.content)}`;
  },
  error_401: () => raised(() => chat("sim:fault-unauthorized")),
  error_404: () => raised(() => chat("sim:fault-not_found")),
  error_429: () => raised(() => chat("sim:fault-rate_limit")),
  error_500: () => raised(() => chat("sim:fault-http_500")),
  error_event_mid_stream: () => raised(() => all(chat("sim:n-6:fault-error_mid:at-3", { stream: true }))),
  broken_mid_stream: () => raised(() => all(chat("sim:n-6:gap-5ms:fault-close_mid:at-3", { stream: true }))),
  async raw_response_headers() {
    const { response } = await chat("sim:n-2").withResponse();
    const kept = ["x-request-id", "openai-processing-ms", "x-ratelimit-limit-requests"];
    return `${kept.filter((name) => response.headers.has(name))}`;
  },
  async prompt_of_2_mb() {
    const long = [{ role: "user", content: "word ".repeat(400000) }];
    const answer = await client.chat.completions.create({ model: "sim:n-2", messages: long });
    return `${answer.usage.prompt_tokens} tokens in`;
  },
};

for (const [name, run] of Object.entries(cases)) {
  let came;
  try {
    came = await run();
  } catch (error) {
    came = `FAILED ${error.constructor.name}: ${String(error.message).slice(0, 300)}`;
  }
  console.log(JSON.stringify([name, came]));
}
