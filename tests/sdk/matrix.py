"""Asks one server with every official SDK for every provider, and prints one line of JSON per cell:
client, provider, case, and what came: `yes`, `lossy: …` (answered, with something left out) or
`no: …` (refused or wrong, and how)."""

import base64
import json
import sys
import time
import urllib.request
from types import SimpleNamespace

import anthropic
import boto3
import openai
from botocore.config import Config
from google import genai
from google.genai import types

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SEEN = "[image/png of 70 bytes]"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
ASK = "hi there"
# What Amazon's documentation shows: the simulator takes signatures by this pair.
AWS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


class Wrong(Exception):
    """What came is not what it should be."""


def must(good, what):
    if not good:
        raise Wrong(what)


# One answer, whatever SDK it came through: `text`, `thoughts`, `calls` as (id, name, arguments),
# `finish` in OpenAI's words, `tokens` of the output, `dropped` as the server says it, `pieces`.
def answer(**fields):
    plain = dict(text="", thoughts="", calls=[], finish=None, tokens=None, dropped=None, pieces=0)
    return SimpleNamespace(**{**plain, **fields})


FINISHES = {
    "end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "STOP": "stop",
    "MAX_TOKENS": "length", "completed": "stop",
}


class OpenAiChat:
    """The chat completions of the OpenAI SDK."""

    def __init__(self, base):
        self.client = openai.OpenAI(base_url=base, api_key="k", max_retries=0, timeout=30)

    def tool(self):
        return {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}

    def body(self, model, turns, tools, schema, thinks, image):
        content = turns[0]
        if image:
            url = "data:image/png;base64," + base64.b64encode(PNG).decode()
            content = [{"type": "text", "text": content}, {"type": "image_url", "image_url": {"url": url}}]
        body = dict(model=model, messages=[{"role": "user", "content": content}])
        for before, results in turns[1:]:
            body["messages"].append(before)
            body["messages"] += [
                {"role": "tool", "tool_call_id": call, "content": "sunny"} for call in results
            ]
        if tools:
            body["tools"] = [self.tool()]
        if schema:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
            }
        if thinks:
            body["reasoning_effort"] = "low"
        return body

    def whole(self, *asked):
        raw = self.client.chat.completions.with_raw_response.create(**self.body(*asked))
        came = raw.parse()
        message = came.choices[0].message
        calls = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or []]
        extra = message.model_extra or {}
        turn = {"role": "assistant", "content": message.content}
        if message.tool_calls:
            turn["tool_calls"] = [c.model_dump() for c in message.tool_calls]
        turn.update({k: v for k, v in extra.items() if k.startswith("reasoning")})
        return answer(
            text=message.content or "",
            thoughts=extra.get("reasoning_content") or extra.get("reasoning") or "",
            calls=calls, finish=came.choices[0].finish_reason, tokens=came.usage.completion_tokens,
            turn=turn, dropped=dropped(raw.headers),
        )

    def stream(self, *asked, stop=None):
        got, parts, ids = answer(), {}, {}
        body = self.body(*asked)
        # Mistral refuses to be asked, and tells usage anyway.
        if "mistral" not in f"{self.client.base_url} {body['model']}":
            body["stream_options"] = {"include_usage": True}
        stream = self.client.chat.completions.create(**body, stream=True)
        for chunk in stream:
            if chunk.usage:
                got.tokens = chunk.usage.completion_tokens
            for choice in chunk.choices:
                got.finish = choice.finish_reason or got.finish
                delta = choice.delta
                got.pieces += bool(delta.content)
                got.text += delta.content or ""
                extra = delta.model_extra or {}
                got.thoughts += extra.get("reasoning_content") or extra.get("reasoning") or ""
                for call in delta.tool_calls or []:
                    if call.id:
                        ids[call.index] = (call.id, call.function.name)
                    parts[call.index] = parts.get(call.index, "") + (call.function.arguments or "")
            if stop and got.pieces >= stop:
                stream.close()
                return got
        got.calls = [(*ids[index], json.loads(parts[index])) for index in sorted(ids)]
        return got


class OpenAiResponses:
    """The responses of the OpenAI SDK."""

    def __init__(self, base):
        self.client = openai.OpenAI(base_url=base, api_key="k", max_retries=0, timeout=30)

    def body(self, model, turns, tools, schema, thinks, image):
        content = [{"type": "input_text", "text": turns[0]}]
        if image:
            url = "data:image/png;base64," + base64.b64encode(PNG).decode()
            content.append({"type": "input_image", "image_url": url, "detail": "auto"})
        body = dict(model=model, store=False, input=[{"role": "user", "content": content}])
        for before, results in turns[1:]:
            body["input"] += before
            body["input"] += [
                {"type": "function_call_output", "call_id": call, "output": "sunny"} for call in results
            ]
        if tools:
            body["tools"] = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
        if schema:
            body["text"] = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
        if thinks:
            body["reasoning"] = {"effort": "low", "summary": "auto"}
        return body

    def read(self, came, headers=None):
        got = answer(text=came.output_text, tokens=came.usage.output_tokens, turn=[])
        for item in came.output:
            if item.type == "function_call":
                got.calls.append((item.call_id, item.name, json.loads(item.arguments)))
            if item.type == "reasoning":
                got.thoughts += "".join(part.text for part in item.summary or [])
                got.thoughts += "".join(part.text for part in item.content or [])
            got.turn.append(item.model_dump(exclude_none=True))
        reason = came.incomplete_details.reason if came.incomplete_details else None
        got.finish = "tool_calls" if got.calls else {"max_output_tokens": "length", None: "stop"}.get(reason, reason)
        got.dropped = dropped(headers or {})
        return got

    def whole(self, *asked):
        raw = self.client.responses.with_raw_response.create(**self.body(*asked))
        return self.read(raw.parse(), raw.headers)

    def stream(self, *asked, stop=None):
        pieces, final = 0, None
        stream = self.client.responses.create(**self.body(*asked), stream=True)
        for event in stream:
            pieces += event.type == "response.output_text.delta"
            if event.type in ("response.completed", "response.incomplete"):
                final = event.response
            if event.type in ("response.failed", "error"):
                raise Wrong(f"event {event.type}")
            if stop and pieces >= stop:
                stream.close()
                return answer(pieces=pieces)
        must(final, "no last event")
        got = self.read(final)
        got.pieces = pieces
        return got


class Claude:
    """The messages of the Anthropic SDK."""

    def __init__(self, base):
        self.client = anthropic.Anthropic(
            base_url=base, api_key="k", max_retries=0, timeout=30,
            default_headers={"anthropic-version": "2023-06-01"},
        )

    def body(self, model, turns, tools, schema, thinks, image):
        content = [{"type": "text", "text": turns[0]}]
        if image:
            source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
            content.append({"type": "image", "source": source})
        body = dict(model=model, max_tokens=2000, messages=[{"role": "user", "content": content}])
        for before, results in turns[1:]:
            body["messages"].append({"role": "assistant", "content": before})
            content = [{"type": "tool_result", "tool_use_id": call, "content": "sunny"} for call in results]
            body["messages"].append({"role": "user", "content": content})
        if tools:
            body["tools"] = [{"name": "weather", "input_schema": SCHEMA}]
        if schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        if thinks:
            body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        return body

    def read(self, came, headers=None):
        got = answer(finish=FINISHES.get(came.stop_reason, came.stop_reason), tokens=came.usage.output_tokens, turn=[])
        for block in came.content:
            if block.type == "text":
                got.text += block.text
            elif block.type == "thinking":
                got.thoughts += block.thinking
            elif block.type == "tool_use":
                got.calls.append((block.id, block.name, block.input))
            fields = {"text": ("text",), "thinking": ("thinking", "signature"), "tool_use": ("id", "name", "input"),
                      "redacted_thinking": ("data",)}
            kept = {name: getattr(block, name) for name in fields.get(block.type, ())}
            got.turn.append({"type": block.type, **kept})
        got.dropped = dropped(headers or {})
        return got

    def whole(self, *asked):
        raw = self.client.messages.with_raw_response.create(**self.body(*asked))
        return self.read(raw.parse(), raw.headers)

    def stream(self, *asked, stop=None):
        pieces = 0
        with self.client.messages.stream(**self.body(*asked)) as stream:
            for event in stream:
                pieces += event.type == "content_block_delta" and event.delta.type == "text_delta"
                if stop and pieces >= stop:
                    return answer(pieces=pieces)
            got = self.read(stream.get_final_message())
        got.pieces = pieces
        return got


class Gemini:
    """Google's SDK against the Gemini API."""

    def __init__(self, base):
        options = types.HttpOptions(base_url=base, api_version="v1beta", timeout=30000)
        # The client closes its connections when it is forgotten.
        self.client = genai.Client(api_key="k", http_options=options)
        self.models = self.client.models

    def body(self, model, turns, tools, schema, thinks, image):
        parts = [types.Part(text=turns[0])]
        if image:
            parts.append(types.Part.from_bytes(data=PNG, mime_type="image/png"))
        contents = [types.Content(role="user", parts=parts)]
        for before, results in turns[1:]:
            contents.append(before)
            answers = [types.FunctionResponse(id=call, name="weather", response={"result": "sunny"}) for call in results]
            contents.append(types.Content(role="user", parts=[types.Part(function_response=one) for one in answers]))
        config = {"automatic_function_calling": {"disable": True}}
        if tools:
            declaration = types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)
            config["tools"] = [types.Tool(function_declarations=[declaration])]
        if schema:
            config.update(response_mime_type="application/json", response_json_schema=SCHEMA)
        if thinks:
            config["thinking_config"] = types.ThinkingConfig(include_thoughts=True)
        return dict(model=model, contents=contents, config=types.GenerateContentConfig(**config))

    def add(self, got, came, turn):
        for part in (came.candidates[0].content.parts or []) if came.candidates and came.candidates[0].content else []:
            turn.append(part)
            if part.function_call:
                call = part.function_call
                got.calls.append((call.id, call.name, call.args))
            elif part.thought:
                got.thoughts += part.text or ""
            else:
                got.text += part.text or ""
                got.pieces += bool(part.text)
        if came.candidates and came.candidates[0].finish_reason:
            finish = came.candidates[0].finish_reason.value
            got.finish = "tool_calls" if got.calls and finish == "STOP" else FINISHES.get(finish, finish)
        if came.usage_metadata:
            usage = came.usage_metadata
            got.tokens = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)

    def whole(self, *asked):
        came, got, turn = self.models.generate_content(**self.body(*asked)), answer(), []
        self.add(got, came, turn)
        got.turn = types.Content(role="model", parts=turn)
        if came.sdk_http_response:
            got.dropped = dropped(came.sdk_http_response.headers or {})
        return got

    def stream(self, *asked, stop=None):
        got, turn = answer(), []
        stream = self.models.generate_content_stream(**self.body(*asked))
        for came in stream:
            self.add(got, came, turn)
            if stop and got.pieces >= stop:
                stream.close()
                return got
        got.turn = types.Content(role="model", parts=turn)
        return got


class Bedrock:
    """boto3 against Bedrock's Converse, each request signed."""

    def __init__(self, base):
        self.client = boto3.client(
            "bedrock-runtime", region_name="us-east-1", endpoint_url=base, aws_access_key_id=AWS[0],
            aws_secret_access_key=AWS[1], config=Config(retries={"max_attempts": 0}, read_timeout=30),
        )

    def body(self, model, turns, tools, schema, thinks, image):
        content = [{"text": turns[0]}]
        if image:
            content.append({"image": {"format": "png", "source": {"bytes": PNG}}})
        body = dict(modelId=model, messages=[{"role": "user", "content": content}])
        for before, results in turns[1:]:
            body["messages"].append({"role": "assistant", "content": before})
            content = [{"toolResult": {"toolUseId": call, "content": [{"text": "sunny"}]}} for call in results]
            body["messages"].append({"role": "user", "content": content})
        if tools:
            body["toolConfig"] = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}]}
        if schema:
            structure = {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "place"}}
            body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
        if thinks:
            body["additionalModelRequestFields"] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        return body

    def whole(self, *asked):
        came = self.client.converse(**self.body(*asked))
        finish = came["stopReason"]
        got = answer(finish=FINISHES.get(finish, finish), tokens=came["usage"]["outputTokens"])
        got.turn = came["output"]["message"]["content"]
        for block in got.turn:
            got.text += block.get("text", "")
            got.thoughts += block.get("reasoningContent", {}).get("reasoningText", {}).get("text", "")
            if "toolUse" in block:
                call = block["toolUse"]
                got.calls.append((call["toolUseId"], call["name"], call["input"]))
        got.dropped = dropped(came["ResponseMetadata"]["HTTPHeaders"])
        return got

    def stream(self, *asked, stop=None):
        came, got, calls = self.client.converse_stream(**self.body(*asked)), answer(), {}
        for event in came["stream"]:
            if "contentBlockStart" in event:
                start = event["contentBlockStart"]
                calls[start["contentBlockIndex"]] = [start["start"]["toolUse"], ""]
            if "contentBlockDelta" in event:
                delta = event["contentBlockDelta"]["delta"]
                got.text += delta.get("text", "")
                got.pieces += "text" in delta
                got.thoughts += delta.get("reasoningContent", {}).get("text", "")
                if "toolUse" in delta:
                    calls[event["contentBlockDelta"]["contentBlockIndex"]][1] += delta["toolUse"]["input"]
            if "messageStop" in event:
                finish = event["messageStop"]["stopReason"]
                got.finish = FINISHES.get(finish, finish)
            if "metadata" in event:
                got.tokens = event["metadata"]["usage"]["outputTokens"]
            if stop and got.pieces >= stop:
                came["stream"].close()
                return got
        got.calls = [(c["toolUseId"], c["name"], json.loads(text or "{}")) for c, text in calls.values()]
        return got


def dropped(headers):
    return next((value for name, value in headers.items() if name.lower() == "x-tollgate-dropped"), None)


def called(got, count):
    must(len(got.calls) == count, f"{len(got.calls)} calls")
    must(all(name == "weather" and "city" in arguments for _, name, arguments in got.calls), f"calls {got.calls}")
    must(got.finish == "tool_calls", f"finish {got.finish}")


def results(client, model, got, count):
    """Sends the results of the calls back, and expects words."""
    ids = [call for call, _, _ in got.calls]
    after = client.whole(model, [ASK, (got.turn, ids)], True, False, False, False)
    must(after.text and not after.calls, f"after the results: {after.calls}")


CASES = {}


def case(function):
    CASES[function.__name__.replace("_", " ")] = function
    return function


@case
def plain(client, model):
    got = client.whole(model("n-6"), [ASK], False, False, False, False)
    must(len(got.text.split()) == 6, f"text {got.text!r}")
    must((got.finish, got.tokens) == ("stop", 6), f"finish {got.finish}, {got.tokens} tokens")
    return got


@case
def streamed(client, model):
    got = client.stream(model("n-6"), [ASK], False, False, False, False)
    must((len(got.text.split()), got.pieces) == (6, 6), f"{got.pieces} pieces {got.text!r}")
    must((got.finish, got.tokens) == ("stop", 6), f"finish {got.finish}, {got.tokens} tokens")
    return got


@case
def tools(client, model):
    got = client.whole(model("n-6:tools-1"), [ASK], True, False, False, False)
    called(got, 1)
    results(client, model("n-6"), got, 1)
    return got


@case
def tools_streamed(client, model):
    got = client.stream(model("n-6:tools-1"), [ASK], True, False, False, False)
    called(got, 1)
    return got


@case
def parallel_tools(client, model):
    got = client.whole(model("n-6:tools-2"), [ASK], True, False, False, False)
    called(got, 2)
    must(got.calls[0][0] != got.calls[1][0], "two calls of one id")
    results(client, model("n-6"), got, 2)
    return got


@case
def image(client, model):
    got = client.whole(model("n-6"), [ASK], False, False, False, True)
    must(SEEN in got.text, f"text {got.text!r}")
    return got


@case
def structured(client, model):
    got = client.whole(model("n-6"), [ASK], False, True, False, False)
    must("city" in json.loads(got.text), f"text {got.text!r}")
    return got


@case
def reasoning(client, model):
    got = client.whole(model("n-6:think-4"), [ASK], False, False, True, False)
    must(len(got.text.split()) == 6, f"text {got.text!r}")
    must(got.tokens == 10, f"{got.tokens} tokens")
    streamed = client.stream(model("n-6:think-4"), [ASK], False, False, True, False)
    must(bool(streamed.thoughts) == bool(got.thoughts), "thoughts in one of whole and stream")
    if not got.thoughts:
        got.dropped = got.dropped or "the thoughts' text"
    return got


def status_of(error):
    for name in ("status_code", "code"):
        if isinstance(getattr(error, name, None), int):
            return getattr(error, name)
    return getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")


@case
def error(client, model):
    try:
        client.whole(model("fault-rate_limit"), [ASK], False, False, False, False)
    except Exception as raised:
        must(status_of(raised) == 429, f"{type(raised).__name__} {status_of(raised)}")
        return None
    raise Wrong("nothing raised")


@case
def error_mid_stream(client, model):
    try:
        client.stream(model("n-6:gap-2ms:fault-error_mid:at-3"), [ASK], False, False, False, False)
    except (Wrong, AssertionError) as raised:
        must(str(raised).startswith("event "), str(raised))
        return None
    except Exception as raised:
        known = (openai.APIError, anthropic.APIError, genai.errors.APIError)
        amazon = type(raised).__module__.startswith("botocore")
        must(isinstance(raised, known) or amazon, f"{type(raised).__name__}: {raised}")
        return None
    raise Wrong("nothing raised")


def last_exchange():
    """What the simulator did last."""
    with urllib.request.urlopen(f"http://{SIMULATOR}/truth") as page:
        last = json.load(page)["ids"][-1]
    with urllib.request.urlopen(f"http://{SIMULATOR}/truth/{last}") as page:
        return json.load(page)


def gone(seconds=3):
    """Whether the simulator saw its peer go during its last exchange."""
    for _ in range(int(seconds / 0.05)):
        if last_exchange()["peer_end"]:
            return True
        time.sleep(0.05)
    return False


# What stands in the path of a provider that is asked in its own language.
OWN_PATHS = {
    "openai": ("/chat/completions", "/responses"),
    "azure": ("/chat/completions", "/responses"),
    "mistral": ("/chat/completions",),
    "anthropic": ("/v1/messages",),
    "gemini": (":generateContent", ":streamGenerateContent"),
    "vertex": (":generateContent", ":streamGenerateContent"),
    "bedrock": ("/converse", "/converse-stream"),
}


@case
def cancel(client, model):
    client.stream(model("n-2000:gap-5ms"), [ASK], False, False, False, False, stop=3)
    must(gone(), "the provider did not see it")
    return None


CLIENTS = {
    "openai chat": OpenAiChat,
    "openai responses": OpenAiResponses,
    "anthropic": Claude,
    "google-genai": Gemini,
    "boto3": Bedrock,
}


def outcome(function, client, provider, model):
    try:
        got = function(client, model)
    except Wrong as wrong:
        return f"no: {wrong}"
    except Exception as raised:
        return f"no: {type(raised).__name__}: {str(raised)[:400]}"
    target = last_exchange()["target"].split("?")[0]
    if not target.endswith(OWN_PATHS[provider]):
        return "no: the provider was not asked in its own language"
    left_out = got.dropped if got else None
    return f"lossy: {left_out}" if left_out else "yes"


# Arguments: the simulator's address, then rows of `client|provider|base URL|model prefix`.
SIMULATOR = sys.argv[1]
for row in sys.argv[2:]:
    name, provider, base, prefix = row.split("|")
    client = CLIENTS[name](base)

    def model(words, prefix=prefix):
        return f"{prefix}sim:{words}"

    for title, function in CASES.items():
        print(json.dumps([name, provider, title, outcome(function, client, provider, model)]), flush=True)
