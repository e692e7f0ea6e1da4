"""Calls a server with the official Python SDKs, and prints one line of JSON per case: its name and what came."""

import asyncio
import json
import sys

import anthropic
import openai
from pydantic import BaseModel

OPENAI, ANTHROPIC = sys.argv[1], sys.argv[2]
KEY = "sk-sdk-test"
ASKED = [{"role": "user", "content": "hi there"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "the weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CLAUDE_TOOL = {"name": "weather", "input_schema": TOOL["function"]["parameters"]}

client = openai.OpenAI(base_url=OPENAI, api_key=KEY, max_retries=0, timeout=30)
claude = anthropic.Anthropic(base_url=ANTHROPIC, api_key=KEY, max_retries=0, timeout=30)
CASES = []


class Person(BaseModel):
    name: str
    age: int


def case(function):
    CASES.append(function)
    return function


def chat(model, **more):
    return client.chat.completions.create(model=model, messages=ASKED, **more)


def words(text):
    return f"{len(text.split())} words"


@case
def plain():
    answer = chat("sim:n-6")
    choice = answer.choices[0]
    return f"{words(choice.message.content)}, {choice.finish_reason}, {answer.usage.completion_tokens} tokens"


@case
def streamed():
    chunks = list(chat("sim:n-6", stream=True))
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    return f"{words(text)}, {len(chunks)} chunks, {chunks[-1].choices[0].finish_reason}, usage {chunks[-1].usage}"


@case
def streamed_with_usage():
    chunks = list(chat("sim:n-6", stream=True, stream_options={"include_usage": True}))
    return f"{len(chunks)} chunks, {chunks[-1].usage.completion_tokens} tokens, choices {chunks[-1].choices}"


@case
def streamed_reasoning():
    chunks = list(chat("sim:think-4:n-3", stream=True))
    thoughts = [c for c in chunks if getattr(c.choices[0].delta, "reasoning_content", None)]
    return f"{len(thoughts)} thoughts of {len(chunks)} chunks"


@case
def parallel_20():
    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=OPENAI, api_key=KEY, max_retries=0) as many:
            async def one(number):
                text = ""
                stream = await many.chat.completions.create(
                    model=f"sim:ft-20ms:gap-2ms:n-{number + 1}", messages=ASKED, stream=True
                )
                async for chunk in stream:
                    text += chunk.choices[0].delta.content or ""
                return len(text.split()) > 0
            return await asyncio.gather(*(one(number) for number in range(20)))
    return f"{sum(asyncio.run(all_of_them()))} answered"


@case
def tools():
    answer = chat("sim:tools-2", tools=[TOOL], tool_choice="required")
    calls = answer.choices[0].message.tool_calls
    cities = all(isinstance(json.loads(call.function.arguments)["city"], str) for call in calls)
    return f"{[call.function.name for call in calls]}, cities {cities}, {answer.choices[0].finish_reason}"


@case
def tools_streamed():
    names, arguments = [], {}
    for chunk in chat("sim:tools-2", tools=[TOOL], tool_choice="required", stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            if call.function.name:
                names.append(call.function.name)
            arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    return f"{names}, cities {all('city' in json.loads(text) for text in arguments.values())}"


@case
def structured():
    answer = client.chat.completions.parse(model="sim", messages=ASKED, response_format=Person)
    return type(answer.choices[0].message.parsed).__name__


@case
def structured_streamed():
    with client.chat.completions.stream(model="sim", messages=ASKED, response_format=Person) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    return f"{type(final.choices[0].message.parsed).__name__}, {'content.done' in kinds}"


@case
def embeddings():
    answer = client.embeddings.create(model="sim", input=["a", "b", "c"], dimensions=8)
    return f"{len(answer.data)} of {len(answer.data[0].embedding)}, {answer.usage.prompt_tokens} tokens"


@case
def legacy_completions():
    answer = client.completions.create(model="sim:n-4", prompt="hi")
    return f"{words(answer.choices[0].text)}"


@case
def responses():
    answer = client.responses.create(model="sim:n-6", input="hi there")
    return f"{words(answer.output_text)}, {answer.status}, {answer.usage.output_tokens} tokens"


@case
def responses_streamed():
    kinds, final = [], None
    for event in client.responses.create(model="sim:n-6", input="hi there", stream=True):
        kinds.append(event.type)
        final = event
    return f"{kinds.count('response.output_text.delta')} deltas, {kinds[-1]}, {final.response.usage.output_tokens} tokens"


@case
def models():
    return f"sim among them: {any(m.id.split('/')[-1] == 'sim' for m in client.models.list())}"


@case
def files():
    made = client.files.create(file=("data.jsonl", b"x" * 300_000), purpose="batch")
    return f"{made.object}, over 300 kB: {made.bytes >= 300_000}"


@case
def speech():
    with client.audio.speech.with_streaming_response.create(model="sim:n-5", voice="alloy", input="hi") as answer:
        return f"{len(answer.read())} bytes of {answer.headers['content-type']}"


@case
def cancelled_mid_stream():
    stream = chat("sim:n-1000:gap-5ms", stream=True)
    seen = 0
    for _ in stream:
        seen += 1
        if seen == 5:
            stream.close()
            break
    return f"closed after {seen}, then {words(chat('sim:n-3').choices[0].message.content)}"


def raised(call):
    try:
        call()
    except (openai.APIError, anthropic.APIError) as error:
        name = type(error).__name__
        return f"{name} {getattr(error, 'status_code', '-')} {getattr(error, 'code', '')}"
    except Exception as error:  # the transport's own, which the SDK lets through
        return f"{type(error).__module__.split('.')[0]} {type(error).__name__}"
    return "nothing raised"


@case
def error_401():
    return raised(lambda: chat("sim:fault-unauthorized"))


@case
def error_404():
    return raised(lambda: chat("sim:fault-not_found"))


@case
def error_429():
    return raised(lambda: chat("sim:fault-rate_limit"))


@case
def error_500():
    return raised(lambda: chat("sim:fault-http_500"))


@case
def error_400_context():
    return raised(lambda: chat("sim:fault-context_length"))


@case
def error_event_first():
    return raised(lambda: list(chat("sim:fault-error_first", stream=True)))


@case
def error_event_mid_stream():
    return raised(lambda: list(chat("sim:n-6:fault-error_mid:at-3", stream=True)))


@case
def broken_mid_stream():
    return raised(lambda: list(chat("sim:n-6:gap-5ms:fault-close_mid:at-3", stream=True)))


@case
def broken_responses():
    ask = dict(model="sim:n-6:gap-5ms:fault-close_mid:at-3", input="hi", stream=True)
    return raised(lambda: list(client.responses.create(**ask)))


@case
def broken_whole():
    return raised(lambda: chat("sim:n-60:fault-close_mid"))


@case
def retried_429():
    retrying = client.with_options(max_retries=2)
    ask = dict(model="sim:rate-0.5:fault-rate_limit:ra-10ms", messages=ASKED)
    answers = 0
    for _ in range(6):
        try:
            answers += bool(retrying.chat.completions.create(**ask).choices)
        except openai.RateLimitError:
            answers += 1
    return f"{answers} answered or refused"


@case
def raw_response_headers():
    raw = client.chat.completions.with_raw_response.create(model="sim:n-2", messages=ASKED)
    kept = ["x-request-id", "openai-processing-ms", "x-ratelimit-limit-requests", "content-type"]
    return f"{[name for name in kept if name in raw.headers]}, {raw.parse().choices[0].finish_reason}"


@case
def prompt_of_2_mb():
    message = [{"role": "user", "content": "word " * 400_000}]
    answer = client.chat.completions.create(model="sim:n-2", messages=message)
    return f"{answer.usage.prompt_tokens} tokens in"


def ask_claude(model, **more):
    return claude.messages.create(model=model, max_tokens=2000, messages=ASKED, **more)


@case
def claude_plain():
    answer = ask_claude("sim:n-6")
    return f"{words(answer.content[0].text)}, {answer.stop_reason}, {answer.usage.output_tokens} tokens"


@case
def claude_streamed():
    with claude.messages.stream(model="sim:n-6", max_tokens=1000, messages=ASKED) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    return f"{len(pieces)} pieces, {final.stop_reason}, {final.usage.output_tokens} tokens"


@case
def claude_thinking():
    more = dict(thinking={"type": "enabled", "budget_tokens": 1024})
    kinds = [event.type for event in ask_claude("sim:think-3:n-3", stream=True, **more)]
    return f"{kinds.count('content_block_delta')} deltas, {kinds[-1]}"


@case
def claude_tools():
    answer = ask_claude("sim:tools-1", tools=[CLAUDE_TOOL], tool_choice={"type": "any"})
    calls = [block for block in answer.content if block.type == "tool_use"]
    return f"{[call.name for call in calls]}, {'city' in calls[0].input}, {answer.stop_reason}"


@case
def claude_tools_streamed():
    ask = dict(model="sim:tools-1", max_tokens=1000, messages=ASKED, tools=[CLAUDE_TOOL], tool_choice={"type": "any"})
    with claude.messages.stream(**ask) as stream:
        final = stream.get_final_message()
    return f"{[block.name for block in final.content if block.type == 'tool_use']}, {final.stop_reason}"


@case
def claude_count_tokens():
    return f"{claude.messages.count_tokens(model='sim', messages=ASKED).input_tokens} tokens"


@case
def claude_401():
    return raised(lambda: ask_claude("sim:fault-unauthorized"))


@case
def claude_429():
    return raised(lambda: ask_claude("sim:fault-rate_limit"))


@case
def claude_529():
    return raised(lambda: ask_claude("sim:fault-http_529"))


@case
def claude_error_mid_stream():
    return raised(lambda: list(ask_claude("sim:n-6:fault-error_mid:at-3", stream=True)))


@case
def claude_broken_mid_stream():
    return raised(lambda: list(ask_claude("sim:n-6:gap-5ms:fault-close_mid:at-3", stream=True)))


for one in CASES:
    try:
        came = one()
    except Exception as error:  # what a case did not expect is its result
        came = f"FAILED {type(error).__module__}.{type(error).__name__}: {str(error)[:300]}"
    print(json.dumps([one.__name__, came]), flush=True)
