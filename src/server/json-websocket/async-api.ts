/** The AsyncAPI document (3.0) of the WebSockets, made of the tables that frames are checked against. Any thread; pure. */

import { longestClientId } from '../client-id.ts';
import { brokerFrames, clientFrames } from './frames.ts';
import type { Schema } from './schema.ts';

const clientId = { type: 'string', minLength: 1, maxLength: longestClientId, description: 'For quotas and groups.' };
const jsonChannel = 'json';
const rawChannel = 'raw';

/** The document, for a broker of `version`. */
export function asyncApiDocument(version: string): object {
  const fromClient = messagesOf(clientFrames);
  const fromBroker = messagesOf(brokerFrames);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Millrace over WebSocket',
      version,
      description: 'JSON frames at /ws, and raw messages at /topics/{topic}/produce.',
    },
    defaultContentType: 'application/json',
    channels: {
      [jsonChannel]: {
        address: '/ws',
        description: 'Publish and subscribe; subprotocol millrace.v1, text messages, one frame each.',
        messages: { ...fromClient, ...fromBroker },
        bindings: { ws: { method: 'GET', query: { type: 'object', properties: { clientId } } } },
      },
      [rawChannel]: {
        address: '/topics/{topic}/produce',
        description: 'Every message, text or binary, is the value of one record.',
        parameters: { topic: { description: 'The topic that the records are for.' } },
        messages: {
          value: { contentType: 'application/octet-stream', summary: 'The value of a record.' },
          stored: {
            contentType: 'text/plain',
            summary: 'The number up to which all records are settled.',
            payload: { type: 'string', pattern: '^[0-9]+$' },
          },
          last: {
            summary: 'With a producer, first of all: the last of its numbers that is stored, or -1.',
            payload: { type: 'object', properties: { last: { type: 'integer', minimum: -1 } }, required: ['last'] },
          },
          failed: { summary: 'Records that were not stored.', payload: rawFailure },
        },
        bindings: {
          ws: {
            method: 'GET',
            query: {
              type: 'object',
              properties: {
                acks: { enum: ['all', '1', '0'], default: 'all' },
                key: { type: 'string' },
                partition: { type: 'integer', minimum: 0 },
                first: { type: 'integer', minimum: 0, default: 1 },
                producer: { type: 'string', minLength: 1 },
                clientId,
              },
            },
          },
        },
      },
    },
    operations: {
      receiveFrames: operation('receive', jsonChannel, Object.keys(fromClient)),
      sendFrames: operation('send', jsonChannel, Object.keys(fromBroker)),
      receiveValues: operation('receive', rawChannel, ['value']),
      sendNumbers: operation('send', rawChannel, ['stored', 'last', 'failed']),
    },
  };
}

/** What the raw door says of records that were not stored. */
export const rawFailure = {
  type: 'object',
  properties: {
    error: { type: 'string' },
    message: { type: 'string' },
    from: { type: 'integer', minimum: 0 },
    count: { type: 'integer', minimum: 1 },
  },
  required: ['error', 'message', 'from', 'count'],
} as const satisfies Schema;

function messagesOf(frames: Readonly<Record<string, Schema>>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(frames).map(([name, schema]) => [
      name,
      { name, summary: schema.description, payload: closed(schema) },
    ]),
  );
}

/** JSON Schema lets unknown fields pass unless it is told not to. */
function closed(schema: Schema): Schema {
  const { properties, items, oneOf, additionalProperties } = schema;
  return {
    ...schema,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, closed(each)])),
          additionalProperties: false as const,
        }),
    ...(items === undefined ? {} : { items: closed(items) }),
    ...(oneOf === undefined ? {} : { oneOf: oneOf.map(closed) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: closed(additionalProperties) } : {}),
  };
}

function operation(action: 'send' | 'receive', channel: string, messages: readonly string[]): object {
  return {
    action,
    channel: { $ref: `#/channels/${channel}` },
    messages: messages.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
  };
}
