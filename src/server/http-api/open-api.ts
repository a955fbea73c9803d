/**
 * The OpenAPI 3.1 document, written from the table of operations that the code itself goes by. Any thread.
 */

import { commonProblems, type Content, type OperationShape, type Parameter } from './operation.ts';
import type { Operation } from './operations-part.ts';
import { problemType, statusLine } from './problem.ts';

const problemSchema = {
  type: 'object',
  description: 'Problem details (RFC 9457).',
  properties: {
    title: { type: 'string' },
    status: { type: 'integer' },
    error: { type: 'string', description: "Kafka's name of the error." },
    detail: { type: 'string' },
    records: { type: 'array', items: { type: 'object' } },
    error_code: { type: 'integer', description: "For clients of Confluent's REST Proxy." },
    message: { type: 'string' },
  },
  required: ['title', 'status', 'error', 'detail'],
  additionalProperties: false,
};

const tooManyRequests = 429;
const retryAfter = {
  'Retry-After': {
    description: 'Where the client is above its quota: in so many seconds it is not.',
    schema: { type: 'integer', minimum: 1 },
  },
};

/** The operation that serves the document of `operations` and of itself, with the release `version`. */
export function openApiOperation(operations: readonly OperationShape[], version: string): Operation {
  let text: string | null = null;
  const shape: OperationShape = {
    method: 'get',
    path: '/openapi.json',
    id: 'describe',
    summary: 'This document',
    parameters: [],
    responses: { 200: { description: 'An OpenAPI document.', content: { 'application/json': { type: 'object' } } } },
    problems: [],
  };
  return {
    ...shape,
    serve: (exchange) => {
      text ??= JSON.stringify(openApiDocument([...operations, shape], version));
      exchange.answer(200, text);
    },
  };
}

function openApiDocument(operations: readonly OperationShape[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) (paths[operation.path] ??= {})[operation.method] = describe(operation);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace over HTTP',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas: { Problem: problemSchema } },
  };
}

function describe({ id, summary, parameters, body, responses, problems }: OperationShape): object {
  const described = Object.entries(responses).map(([status, { description, content }]) => [
    status,
    { description, ...(content === undefined ? {} : { content: contentOf(content) }) },
  ]);
  const problem = { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } };
  for (const status of [...commonProblems, ...problems]) {
    const headers = status === tooManyRequests ? { headers: retryAfter } : {};
    described.push([String(status), { description: statusLine(status).slice(4), ...headers, content: problem }]);
  }
  return {
    operationId: id,
    summary,
    parameters: parameters.map(parameterOf),
    ...(body === undefined
      ? {}
      : { requestBody: { description: body.description, required: true, content: contentOf(body.content) } }),
    responses: Object.fromEntries(described),
  };
}

function parameterOf({ name, in: place, required, description, schema }: Parameter): object {
  return { name, in: place, required: required === true, description, schema };
}

function contentOf(content: Content): object {
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }]));
}
