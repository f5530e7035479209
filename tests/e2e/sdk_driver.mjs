// Does with the JavaScript SDKs what one line of JSON asks, and answers with one line of JSON. The SDKs are set
// up by their environment variables only, as the user of another base URL would.
import readline from 'node:readline';

import {ApiError, GoogleGenAI} from '@google/genai';
import OpenAI, {APIError, RateLimitError} from 'openai';

const kWeather = {
  name: 'get_weather',
  description: 'The weather in a city.',
  parameters: {type: 'object', properties: {city: {type: 'string'}}, required: ['city']},
};

function weirHeaders(headers) {
  return Object.fromEntries([...headers].map(([name, value]) => [name.toLowerCase(), value])
                                .filter(([name]) => name.startsWith('x-weir-')));
}

async function collect(stream, take) {
  const taken = [];
  for await (const chunk of stream) taken.push(take(chunk));
  return taken;
}

// --- @google/genai ---

const gemini = () => new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});

function geminiUsage(response) {
  const usage = response.usageMetadata;
  return [usage.promptTokenCount ?? 0, usage.candidatesTokenCount ?? 0, usage.totalTokenCount ?? 0];
}

const verbs = {
  async gemini_generate({model, prompt}) {
    const response = await gemini().models.generateContent({model, contents: prompt});
    return {text: response.text, usage: geminiUsage(response)};
  },

  async gemini_headers({model, prompt}) {
    const response = await gemini().models.generateContent({model, contents: prompt});
    return weirHeaders(Object.entries(response.sdkHttpResponse.headers));
  },

  async gemini_stream({model, prompt}) {
    const chunks = await collect(await gemini().models.generateContentStream({model, contents: prompt}), (c) => c);
    return {texts: chunks.map((chunk) => chunk.text), usage: geminiUsage(chunks.at(-1))};
  },

  async gemini_chat({model, prompts}) {
    const chat = gemini().chats.create({model});
    const answers = [];
    for (const message of prompts) answers.push((await chat.sendMessage({message})).text);
    return answers;
  },

  async gemini_embed({model, texts}) {
    const answer = await gemini().models.embedContent({model, contents: texts});
    return answer.embeddings.map((embedding) => embedding.values);
  },

  async gemini_tool({model, prompt}) {
    const client = gemini();
    const config = {tools: [{functionDeclarations: [kWeather]}]};
    const contents = [{role: 'user', parts: [{text: prompt}]}];
    const asked = await client.models.generateContent({model, contents, config});
    const [call] = asked.functionCalls;
    const functionResponse = {name: call.name, response: {sky: 'clear'}};
    contents.push(asked.candidates[0].content, {role: 'user', parts: [{functionResponse}]});
    const answer = await client.models.generateContent({model, contents, config});
    return {call: call.name, arguments: call.args, text: answer.text};
  },

  async gemini_abort({model, prompt}) {
    const controller = new AbortController();
    const config = {abortSignal: controller.signal};
    const stream = await gemini().models.generateContentStream({model, contents: prompt, config});
    const first = (await stream.next()).value.text;
    controller.abort();
    return first;
  },

  async gemini_together({model, prompts}) {
    const client = gemini();
    return await Promise.all(prompts.map(async (contents) => {
      const stream = await client.models.generateContentStream({model, contents});
      return (await collect(stream, (chunk) => chunk.text)).join('');
    }));
  },

  async gemini_free({model, prompt}) {
    const client = gemini();
    const count = (await client.models.countTokens({model, contents: prompt})).totalTokens;
    return {count, models: await collect(await client.models.list(), (entry) => entry.name)};
  },

  async gemini_file({size}) {
    const file = new Blob(['f'.repeat(size)], {type: 'text/plain'});
    const made = await gemini().files.upload({file, config: {mimeType: 'text/plain'}});
    return {name: made.name, size: Number(made.sizeBytes)};
  },

  async gemini_live({model, prompts}) {
    let heard = () => {};
    let closed = () => {};
    const callbacks = {onmessage: (message) => heard(message), onclose: (event) => closed(event)};
    const refused = new Promise((resolve) => {
      closed = (event) => resolve({closed: `${event.code} ${event.reason}`});
    });
    const talk = async () => {
      const config = {responseModalities: ['TEXT']};
      const session = await gemini().live.connect({model, config, callbacks});
      const told = [];
      for (const prompt of prompts) {
        const turn = new Promise((resolve) => {
          let text = '';
          heard = (message) => {
            text += message.text ?? '';
            if (message.usageMetadata) resolve([text, message.usageMetadata.totalTokenCount]);
          };
        });
        session.sendClientContent({turns: [{role: 'user', parts: [{text: prompt}]}], turnComplete: true});
        told.push(await turn);
      }
      session.close();
      return told;
    };
    return await Promise.race([refused, talk()]);
  },

  async gemini_interaction({model, prompt}) {
    const stream = await gemini().interactions.create({model, input: prompt, stream: true});
    return await collect(stream, (event) => event.event_type);
  },

  // --- openai ---

  async openai_generate(q) {
    const answer = await openai(q).chat.completions.create({model: q.model, messages: asks(q.prompt)});
    const usage = answer.usage;
    return {
      text: answer.choices[0].message.content,
      usage: [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
    };
  },

  async openai_headers(q) {
    const call = openai(q).chat.completions.create({model: q.model, messages: asks(q.prompt)});
    return weirHeaders((await call.asResponse()).headers);
  },

  async openai_stream(q) {
    const stream = await openai(q).chat.completions.create({model: q.model, messages: asks(q.prompt), stream: true});
    return await collect(stream, (chunk) => chunk.choices[0].delta.content);
  },

  async openai_chat(q) {
    const client = openai(q);
    const messages = [];
    const answers = [];
    for (const prompt of q.prompts) {
      messages.push(...asks(prompt));
      const answer = await client.chat.completions.create({model: q.model, messages});
      answers.push(answer.choices[0].message.content);
      messages.push({role: 'assistant', content: answers.at(-1)});
    }
    return answers;
  },

  async openai_embed(q) {
    const answer = await openai(q).embeddings.create({model: q.model, input: q.texts});
    return answer.data.map((entry) => entry.embedding);
  },

  async openai_tool(q) {
    const client = openai(q);
    const tools = [{type: 'function', function: kWeather}];
    const messages = asks(q.prompt);
    const asked = (await client.chat.completions.create({model: q.model, messages, tools})).choices[0].message;
    const [call] = asked.tool_calls;
    messages.push(asked, {role: 'tool', tool_call_id: call.id, content: '{"sky":"clear"}'});
    const answer = await client.chat.completions.create({model: q.model, messages, tools});
    return {
      call: call.function.name,
      arguments: JSON.parse(call.function.arguments),
      text: answer.choices[0].message.content,
    };
  },

  async openai_abort(q) {
    const stream = await openai(q).chat.completions.create({model: q.model, messages: asks(q.prompt), stream: true});
    for await (const chunk of stream) {
      stream.controller.abort();
      return chunk.choices[0].delta.content;
    }
  },

  async openai_together(q) {
    const client = openai(q);
    return await Promise.all(q.prompts.map(async (prompt) => {
      const stream = await client.chat.completions.create({model: q.model, messages: asks(prompt), stream: true});
      return (await collect(stream, (chunk) => chunk.choices[0].delta.content ?? '')).join('');
    }));
  },

  async openai_free(q) {
    return await collect(openai(q).models.list(), (model) => model.id);
  },

  async openai_responses(q) {
    const answer = await openai(q).responses.create({model: q.model, input: q.prompt});
    return {text: answer.output_text, total: answer.usage.total_tokens};
  },
};

const openai = (q) => new OpenAI({maxRetries: q.retries ?? 0});
const asks = (prompt) => [{role: 'user', content: prompt}];

// What a program that catches the SDK's own error can see.
function errorOf(error) {
  if (error instanceof ApiError) {
    const kind = error.status === 429 ? 'rate limit' : 'other';
    return {type: error.name, kind, status: error.status, body: JSON.parse(error.message)};
  }
  return {
    type: error.constructor.name,
    kind: error instanceof RateLimitError ? 'rate limit' : 'other',
    status: error.status,
    body: error.error,
    retry_after: error.headers.get('retry-after'),
  };
}

const kEnvironment = {
  gemini: ['GOOGLE_GEMINI_BASE_URL', 'GEMINI_API_KEY'],
  openai: ['OPENAI_BASE_URL', 'OPENAI_API_KEY'],
};

for await (const line of readline.createInterface({input: process.stdin})) {
  const question = JSON.parse(line);
  const [baseUrl, apiKey] = kEnvironment[question.do.split('_')[0]];
  process.env[baseUrl] = question.base_url;
  process.env[apiKey] = question.api_key;
  let answer;
  try {
    answer = {answer: await verbs[question.do](question)};
  } catch (error) {
    const told = error instanceof ApiError || (error instanceof APIError && error.status);
    answer = told ? {error: errorOf(error)} : {failed: error.stack};
  }
  console.log(JSON.stringify(answer));
}
