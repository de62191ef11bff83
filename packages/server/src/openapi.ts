// The OpenAPI 3.1 document: the schemas that requests are checked with, and a table of paths. Made once.
import { z } from 'zod'
import {
  chatCompletion,
  chatCompletionChunk,
  chatCompletionRequest,
  controlResult,
} from './schema/chat.ts'
import { errorBody, hadalExtension, tokenLogprob, usage } from './schema/common.ts'
import {
  anthropicError,
  anthropicMessage,
  countTokensRequest,
  countTokensResult,
  messageEvent,
  messagesRequest,
} from './schema/messages.ts'
import {
  completion,
  completionRequest,
  detokenizeRequest,
  detokenizeResponse,
  health,
  model,
  modelList,
  tokenizeRequest,
  tokenizeResponse,
} from './schema/other.ts'
import { responseDeleted, responseEvent, responseResource } from './schema/response-events.ts'
import { responsesRequest } from './schema/responses.ts'
import { isMessagesPath } from './wire/messages-error.ts'

const schemas = {
  ChatCompletionRequest: chatCompletionRequest,
  ChatCompletion: chatCompletion,
  ChatCompletionChunk: chatCompletionChunk,
  ControlResult: controlResult,
  CompletionRequest: completionRequest,
  Completion: completion,
  ResponsesRequest: responsesRequest,
  Response: responseResource,
  ResponseEvent: responseEvent,
  ResponseDeleted: responseDeleted,
  MessagesRequest: messagesRequest,
  Message: anthropicMessage,
  MessageEvent: messageEvent,
  CountTokensRequest: countTokensRequest,
  CountTokensResult: countTokensResult,
  AnthropicError: anthropicError,
  Model: model,
  ModelList: modelList,
  TokenizeRequest: tokenizeRequest,
  TokenizeResponse: tokenizeResponse,
  DetokenizeRequest: detokenizeRequest,
  DetokenizeResponse: detokenizeResponse,
  Health: health,
  Usage: usage,
  HadalExtension: hadalExtension,
  TokenLogprob: tokenLogprob,
  Error: errorBody,
}
type SchemaName = keyof typeof schemas

interface Operation {
  readonly paths: readonly string[]
  readonly method: 'get' | 'post' | 'delete'
  readonly summary: string
  readonly body?: SchemaName
  readonly answer: SchemaName | 'text' | 'document'
  /** Of each event, when the request says stream: true. */
  readonly event?: SchemaName
  readonly open?: boolean
}

const v1 = (path: string): readonly string[] => [`/v1${path}`, path]
const anthropic = (path: string): readonly string[] => [path, `/anthropic${path}`]

const operations: readonly Operation[] = [
  {
    paths: v1('/chat/completions'),
    method: 'post',
    summary: 'Answer a conversation',
    body: 'ChatCompletionRequest',
    answer: 'ChatCompletion',
    event: 'ChatCompletionChunk',
  },
  {
    paths: v1('/chat/completions/{id}/end_thinking'),
    method: 'post',
    summary: 'Close the thinking of a running answer: it answers now',
    answer: 'ControlResult',
  },
  {
    paths: v1('/chat/completions/{id}/cancel'),
    method: 'post',
    summary: 'End a running answer',
    answer: 'ControlResult',
  },
  {
    paths: [...v1('/completions'), '/beta/completions'],
    method: 'post',
    summary: 'Continue text or ids; with a suffix, fill in the middle',
    body: 'CompletionRequest',
    answer: 'Completion',
    event: 'Completion',
  },
  {
    paths: v1('/responses'),
    method: 'post',
    summary: 'Answer in items: thinking, words, calls',
    body: 'ResponsesRequest',
    answer: 'Response',
    event: 'ResponseEvent',
  },
  {
    paths: v1('/responses/{id}'),
    method: 'get',
    summary: 'A response that is in memory',
    answer: 'Response',
  },
  {
    paths: v1('/responses/{id}'),
    method: 'delete',
    summary: 'Forget a response',
    answer: 'ResponseDeleted',
  },
  {
    paths: anthropic('/v1/messages'),
    method: 'post',
    summary: 'Answer a conversation on Anthropic’s wire',
    body: 'MessagesRequest',
    answer: 'Message',
    event: 'MessageEvent',
  },
  {
    paths: anthropic('/v1/messages/count_tokens'),
    method: 'post',
    summary: 'Tokens of a prompt',
    body: 'CountTokensRequest',
    answer: 'CountTokensResult',
  },
  { paths: v1('/models'), method: 'get', summary: 'The models', answer: 'ModelList' },
  { paths: v1('/models/{id}'), method: 'get', summary: 'One model', answer: 'Model' },
  {
    paths: ['/tokenize'],
    method: 'post',
    summary: 'Ids of a text',
    body: 'TokenizeRequest',
    answer: 'TokenizeResponse',
  },
  {
    paths: ['/detokenize'],
    method: 'post',
    summary: 'Text of ids',
    body: 'DetokenizeRequest',
    answer: 'DetokenizeResponse',
  },
  { paths: ['/health'], method: 'get', summary: 'Ready or not', answer: 'Health', open: true },
  { paths: ['/metrics'], method: 'get', summary: 'Prometheus metrics', answer: 'text' },
  { paths: ['/openapi.json'], method: 'get', summary: 'This document', answer: 'document' },
]

const ref = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` })

function components(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id })
  const made = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` })
  return Object.fromEntries(
    Object.entries(made.schemas).map(([id, { $id: _, $schema: __, ...schema }]) => [id, schema]),
  )
}

function answerContent({ answer, event }: Operation): Record<string, unknown> {
  if (answer === 'text') return { 'text/plain': { schema: { type: 'string' } } }
  const schema = answer === 'document' ? { type: 'object' } : ref(answer)
  return {
    'application/json': { schema },
    ...(event && {
      'text/event-stream': { schema: { type: 'string' }, 'x-event-schema': ref(event) },
    }),
  }
}

function operationObject(operation: Operation, path: string): Record<string, unknown> {
  const { summary, body, open } = operation
  const error = {
    description: 'Refused',
    content: {
      'application/json': { schema: ref(isMessagesPath(path) ? 'AnthropicError' : 'Error') },
    },
  }
  const unready = { description: 'Not ready', content: answerContent(operation) }
  return {
    summary,
    operationId: `${operation.method}${path.replace(/[^a-zA-Z0-9]+(\w?)/g, (_, c: string) => c.toUpperCase())}`,
    ...(open && { security: [] }),
    ...(path.includes('{id}') && {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
    }),
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: ref(body) } } },
    }),
    responses: {
      200: { description: 'Done', content: answerContent(operation) },
      ...(operation.answer === 'Health' && { 503: unready }),
      default: error,
    },
  }
}

function paths(): Record<string, Record<string, unknown>> {
  const all: Record<string, Record<string, unknown>> = {}
  for (const operation of operations)
    for (const path of operation.paths)
      all[path] = { ...all[path], [operation.method]: operationObject(operation, path) }
  return all
}

let made: Record<string, unknown> | undefined

export function openApiDocument(): Record<string, unknown> {
  made ??= {
    openapi: '3.1.0',
    info: {
      title: 'Hadal',
      version: '1',
      description:
        "DeepSeek's, OpenAI's and Anthropic's wire in front of a model on your own machine.",
    },
    security: [{ bearer: [] }, { key: [] }, {}],
    paths: paths(),
    components: {
      schemas: components(),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        key: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
      },
    },
  }
  return made
}
