"""Does with the Python SDKs what one line of JSON asks, and answers with one line of JSON.

The SDKs are set up by their environment variables only, as the user of another base URL would.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import google.genai.errors
import openai
from google import genai
from google.genai import types

Question = dict[str, Any]

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def weir_headers(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in dict(headers).items() if name.lower().startswith("x-weir-")}


# --- google-genai -------------------------------------------------------------------------------


def gemini_usage(response: Any) -> list[int]:
    usage = response.usage_metadata
    return [usage.prompt_token_count or 0, usage.candidates_token_count or 0, usage.total_token_count or 0]


def gemini_generate(q: Question) -> Any:
    client = genai.Client()
    response = client.models.generate_content(model=q["model"], contents=q["prompt"])
    return {"text": response.text, "usage": gemini_usage(response)}


def gemini_headers(q: Question) -> Any:
    client = genai.Client()
    response = client.models.generate_content(model=q["model"], contents=q["prompt"])
    return weir_headers(response.sdk_http_response.headers)


def gemini_stream(q: Question) -> Any:
    client = genai.Client()
    chunks = list(client.models.generate_content_stream(model=q["model"], contents=q["prompt"]))
    return {"texts": [chunk.text for chunk in chunks], "usage": gemini_usage(chunks[-1])}


def gemini_chat(q: Question) -> Any:
    client = genai.Client()
    chat = client.chats.create(model=q["model"])
    return [chat.send_message(prompt).text for prompt in q["prompts"]]


def gemini_embed(q: Question) -> Any:
    client = genai.Client()
    answer = client.models.embed_content(model=q["model"], contents=q["texts"])
    return [embedding.values for embedding in answer.embeddings]


def gemini_tool(q: Question) -> Any:
    client = genai.Client()
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[WEATHER])])
    prompt = types.Content(role="user", parts=[types.Part(text=q["prompt"])])
    asked = client.models.generate_content(model=q["model"], contents=[prompt], config=config)
    [call] = asked.function_calls
    result = types.Part.from_function_response(name=call.name, response={"sky": "clear"})
    contents = [prompt, asked.candidates[0].content, types.Content(role="user", parts=[result])]
    answer = client.models.generate_content(model=q["model"], contents=contents, config=config)
    return {"call": call.name, "arguments": call.args, "text": answer.text}


def gemini_abort(q: Question) -> Any:
    client = genai.Client()
    stream = client.models.generate_content_stream(model=q["model"], contents=q["prompt"])
    first = next(stream).text
    stream.close()
    client.close()
    return first


def gemini_together(q: Question) -> Any:
    client = genai.Client()

    def one(prompt: str) -> str:
        return "".join(c.text for c in client.models.generate_content_stream(model=q["model"], contents=prompt))

    with concurrent.futures.ThreadPoolExecutor(len(q["prompts"])) as pool:
        return list(pool.map(one, q["prompts"]))


def gemini_free(q: Question) -> Any:
    client = genai.Client()
    count = client.models.count_tokens(model=q["model"], contents=q["prompt"]).total_tokens
    return {"count": count, "models": [model.name for model in client.models.list()]}


def gemini_file(q: Question) -> Any:
    data = io.BytesIO(b"f" * q["size"])
    client = genai.Client()
    file = client.files.upload(file=data, config={"mime_type": "text/plain"})
    return {"name": file.name, "size": int(file.size_bytes)}


def gemini_async_generate(q: Question) -> Any:
    async def ask() -> Any:
        return await genai.Client().aio.models.generate_content(model=q["model"], contents=q["prompt"])

    response = asyncio.run(ask())
    return {"text": response.text, "usage": gemini_usage(response)}


def gemini_async_stream(q: Question) -> Any:
    async def ask() -> Any:
        client = genai.Client()
        stream = await client.aio.models.generate_content_stream(model=q["model"], contents=q["prompt"])
        return [chunk async for chunk in stream]

    chunks = asyncio.run(ask())
    return {"texts": [chunk.text for chunk in chunks], "usage": gemini_usage(chunks[-1])}


def gemini_live(q: Question) -> Any:
    async def talk() -> Any:
        told = []
        config: Any = {"response_modalities": ["TEXT"]}
        async with genai.Client().aio.live.connect(model=q["model"], config=config) as session:
            for prompt in q["prompts"]:
                turn: Any = {"role": "user", "parts": [{"text": prompt}]}
                await session.send_client_content(turns=turn, turn_complete=True)
                text, total = "", 0
                async for message in session.receive():
                    text += message.text or ""
                    if message.usage_metadata:
                        total = message.usage_metadata.total_token_count or 0
                told.append([text, total])
        return told

    try:
        return asyncio.run(talk())
    except google.genai.errors.APIError as error:
        return {"closed": f"{error.code} {error}"}


def gemini_interaction(q: Question) -> Any:
    client = genai.Client()
    stream = client.interactions.create(model=q["model"], input=q["prompt"], stream=True)
    return [event.event_type for event in stream]


# --- openai -------------------------------------------------------------------------------------


def openai_client(q: Question) -> openai.OpenAI:
    return openai.OpenAI(max_retries=q.get("retries", 0))


def openai_generate(q: Question) -> Any:
    answer = openai_client(q).chat.completions.create(
        model=q["model"], messages=[{"role": "user", "content": q["prompt"]}]
    )
    usage = answer.usage
    assert usage
    return {
        "text": answer.choices[0].message.content,
        "usage": [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
    }


def openai_headers(q: Question) -> Any:
    answer = openai_client(q).chat.completions.with_raw_response.create(
        model=q["model"], messages=[{"role": "user", "content": q["prompt"]}]
    )
    return weir_headers(answer.headers)


def openai_stream(q: Question) -> Any:
    stream = openai_client(q).chat.completions.create(
        model=q["model"], messages=[{"role": "user", "content": q["prompt"]}], stream=True
    )
    return [chunk.choices[0].delta.content for chunk in stream]


def openai_chat(q: Question) -> Any:
    client = openai_client(q)
    messages: list[Any] = []
    answers = []
    for prompt in q["prompts"]:
        messages.append({"role": "user", "content": prompt})
        answer = client.chat.completions.create(model=q["model"], messages=messages)
        answers.append(answer.choices[0].message.content)
        messages.append({"role": "assistant", "content": answers[-1]})
    return answers


def openai_embed(q: Question) -> Any:
    answer = openai_client(q).embeddings.create(model=q["model"], input=q["texts"])
    return [embedding.embedding for embedding in answer.data]


def openai_tool(q: Question) -> Any:
    client = openai_client(q)
    tools: Any = [{"type": "function", "function": WEATHER}]
    messages: list[Any] = [{"role": "user", "content": q["prompt"]}]
    asked = client.chat.completions.create(model=q["model"], messages=messages, tools=tools).choices[0].message
    assert asked.tool_calls
    [call] = asked.tool_calls
    messages += [
        asked.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": '{"sky":"clear"}'},
    ]
    answer = client.chat.completions.create(model=q["model"], messages=messages, tools=tools)
    return {
        "call": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "text": answer.choices[0].message.content,
    }


def openai_abort(q: Question) -> Any:
    client = openai_client(q)
    stream = client.chat.completions.create(
        model=q["model"], messages=[{"role": "user", "content": q["prompt"]}], stream=True
    )
    first = next(iter(stream)).choices[0].delta.content
    stream.close()
    client.close()
    return first


def openai_together(q: Question) -> Any:
    client = openai_client(q)

    def one(prompt: str) -> str:
        stream = client.chat.completions.create(
            model=q["model"], messages=[{"role": "user", "content": prompt}], stream=True
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with concurrent.futures.ThreadPoolExecutor(len(q["prompts"])) as pool:
        return list(pool.map(one, q["prompts"]))


def openai_free(q: Question) -> Any:
    return [model.id for model in openai_client(q).models.list()]


def openai_responses(q: Question) -> Any:
    answer = openai_client(q).responses.create(model=q["model"], input=q["prompt"])
    assert answer.usage
    return {"text": answer.output_text, "total": answer.usage.total_tokens}


# --- one line after the other -------------------------------------------------------------------


def error_of(error: google.genai.errors.APIError | openai.APIStatusError) -> dict[str, Any]:
    """What a program that catches the SDK's own error can see."""
    if isinstance(error, google.genai.errors.APIError):
        kind = "rate limit" if error.code == 429 and type(error).__name__ == "ClientError" else "other"
        return {"type": type(error).__name__, "kind": kind, "status": error.code, "body": error.details}
    return {
        "type": type(error).__name__,
        "kind": "rate limit" if isinstance(error, openai.RateLimitError) else "other",
        "status": error.status_code,
        "body": error.body,
        "retry_after": error.response.headers.get("retry-after"),
    }


ENVIRONMENT = {
    "gemini": ("GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY"),
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
}


def main() -> None:
    verbs: dict[str, Callable[[Question], Any]] = {
        name: verb for name, verb in globals().items() if name.startswith(("gemini_", "openai_"))
    }
    for line in sys.stdin:
        question = json.loads(line)
        base_url, api_key = ENVIRONMENT[question["do"].split("_")[0]]
        os.environ[base_url] = question["base_url"]
        os.environ[api_key] = question["api_key"]
        try:
            answer = {"answer": verbs[question["do"]](question)}
        except (google.genai.errors.APIError, openai.APIStatusError) as error:
            answer = {"error": error_of(error)}
        except Exception:  # pylint: disable=broad-except
            answer = {"failed": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
