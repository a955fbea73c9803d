/**
 * The OpenAPI document held against the server: requests are made from it, good and bad ones for every operation, and each
 * answer has to be one that it names.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonSchema, Parameter } from '../../src/server/http-api/operation.ts';
import { HttpHarness } from './http-harness.ts';

interface DocumentedOperation {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>> }>
  >;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

let http: HttpHarness;
let api: OpenApi;

beforeAll(async () => {
  http = await HttpHarness.open({
    heartbeatMs: 50,
    bodyLimits: { largestBodyBytes: 1e6, allBodiesBytes: 1e7, stillMs: 1e4 },
  });
  await http.broker.broker.topics.create({ name: 'orders', partitionCount: 3, replicationFactor: -1, configs: [] });
  expect((await http.post('/topics/orders?partition=1', '[{"a":1},"b",null]')).status).toBe(200);
  api = (await (await http.fetch('/openapi.json')).json()) as OpenApi;
});

afterAll(async () => {
  await http.close();
});

/** What is wrong with `value` by `schema`, as a path and a reason; null where nothing is. */
function problemOf(value: unknown, schema: JsonSchema, at = '$'): string | null {
  if (schema.$ref !== undefined) {
    return problemOf(value, api.components.schemas[schema.$ref.split('/').at(-1)!]!, at);
  }
  if (schema.oneOf !== undefined) {
    const problems = schema.oneOf.map((one) => problemOf(value, one, at));
    return problems.filter((problem) => problem === null).length === 1 ? null : `${at} is ${problems.join(' | ')}`;
  }
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const types = schema.type === undefined ? null : [schema.type].flat();
  const isType = types?.some((type) => type === kind || (type === 'integer' && Number.isInteger(value))) ?? true;
  if (!isType) return `${at} is ${kind}, not ${String(types)}`;
  if (schema.enum !== undefined && !schema.enum.includes(value as string)) return `${at} is not in its enum`;
  if (typeof value === 'number' && value < (schema.minimum ?? -Infinity)) return `${at} is below its minimum`;
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [i, item] of value.entries()) {
      const problem = problemOf(item, schema.items, `${at}[${i}]`);
      if (problem !== null) return problem;
    }
  }
  if (kind !== 'object') return null;
  const fields = value as Readonly<Record<string, unknown>>;
  const missing = schema.required?.find((name) => !(name in fields));
  if (missing !== undefined) return `${at} lacks ${missing}`;
  for (const [name, field] of Object.entries(fields)) {
    const own = schema.properties?.[name] ?? schema.additionalProperties ?? true;
    if (own === false) return `${at} has ${name}, which is not described`;
    const problem = own === true ? null : problemOf(field, own, `${at}.${name}`);
    if (problem !== null) return problem;
  }
  return null;
}

/** Values that `parameter` may have, the plainest first. */
function goodValues({ name, schema }: Parameter): string[] {
  const special: Readonly<Record<string, string[]>> = {
    topic: ['orders'],
    topic_name: ['orders'],
    cluster_id: [http.broker.broker.clusterId],
    partition: ['1', '0'],
    'Millrace-Partition': ['1', '0'],
    producer: ['sensor-1'],
    'Millrace-Producer': [],
    offset: ['earliest', 'latest', 'latest-2', '1:1', '0'],
    lastEventId: ['1:1'],
    'Last-Event-ID': ['1:2'],
    timestamp: ['0', '2025-11-24T12:00:00Z'],
    'Millrace-Timestamp': ['1', '2025-11-24T12:00:00.5+01:00'],
    key: ['k', 'ä'],
    keyBase64: ['AAE='],
    header: ['a:b'],
    'Millrace-Headers': ['a=b&c=%20d'],
    'Millrace-Key': ['k'],
    wait: ['0', '1'],
  };
  if (special[name] !== undefined) return special[name];
  // The numbers of a producer, which mean nothing without its name.
  if (name.startsWith('Millrace-')) return [];
  if (schema.enum !== undefined) return schema.enum.map(String);
  if (schema.type === 'boolean') return ['true', 'false'];
  if (schema.type === 'integer') return [String(schema.minimum ?? 0), String(schema.maximum ?? 5)];
  return [];
}

/** Values that `parameter` may not have. */
function badValues({ name, schema }: Parameter): string[] {
  if (schema.enum !== undefined) return ['none-of-these'];
  if (schema.type === 'boolean') return ['yes'];
  if (schema.type === 'integer') {
    const below = schema.minimum === undefined ? [] : [String(schema.minimum - 1)];
    const above = schema.maximum === undefined ? [] : [String(schema.maximum + 1)];
    return ['x', '1.5', '99999999999999999999', ...below, ...above];
  }
  const of = schema.items ?? schema;
  if (of.pattern === undefined) return [];
  const texts = ['\u0001', 'no:t,:valid', '', '%zz'].filter((text) => !new RegExp(of.pattern!, 'u').test(text));
  return name === 'Last-Event-ID' ? [] : texts.slice(0, 1);
}

/** Bodies for each media type that an operation takes. */
const bodies: Readonly<Record<string, readonly string[]>> = {
  'application/json': ['{"a":1}', '[1,2]'],
  'text/json': ['"a"'],
  'application/x-ndjson': ['1\n{"a":2}\n'],
  'application/ndjson': ['1'],
  'application/jsonl': ['1'],
  'application/x-jsonlines': ['1'],
  'application/vnd.kafka.v2+json': ['{"records":[{"value":"AAE="}]}'],
  'application/vnd.millrace.v1+json': [
    '{"key":"k","value":1}',
    '[{"text":"t"},{"base64":"AAE=","headers":{"h":null}}]',
  ],
  'application/vnd.millrace.v1+x-ndjson': ['{"value":1}\n{"text":"a"}'],
  'application/cloudevents+json': ['{"specversion":"1.0","id":"1","source":"s","type":"t","data":1}'],
  'application/cloudevents-batch+json': ['[{"specversion":"1.0","id":"1","source":"s","type":"t"}]'],
  'application/vnd.kafka.json.v2+json': ['{"records":[{"value":1},{"key":"k","value":null}]}'],
  'application/vnd.kafka.binary.v2+json': ['{"records":[{"value":"AAE="}]}'],
  'application/octet-stream': ['anything'],
};
const proxyV3Body = '{"value":{"type":"STRING","data":"a"}}';

interface Case {
  readonly method: string;
  readonly path: string;
  readonly operation: DocumentedOperation;
  readonly given: ReadonlyMap<Parameter, string>;
  readonly body?: string;
  readonly type?: string;
}

async function send({ method, path, operation, given, body, type }: Case): Promise<Response> {
  const query = new URLSearchParams();
  const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
  let place = path;
  for (const parameter of operation.parameters) {
    const value = given.get(parameter) ?? (parameter.required === true ? goodValues(parameter)[0]! : undefined);
    if (value === undefined) continue;
    if (parameter.in === 'path') place = place.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.in === 'query') query.append(parameter.name, value);
    else headers[parameter.name] = value;
  }
  const text = query.size === 0 ? '' : `?${query}`;
  return http.fetch(`${place}${text}`, {
    method: method.toUpperCase(),
    headers,
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
}

/** Fails where the answer is not one that the operation names; gives its status. */
async function check(one: Case): Promise<number> {
  const response = await send(one);
  const { status } = response;
  const what = JSON.stringify([one.operation.operationId, [...one.given.values()], one.type, status]);
  const documented = one.operation.responses[String(status)];
  expect(documented, what).toBeDefined();
  const type = response.headers.get('content-type') ?? '';
  const schema = documented!.content?.[type]?.schema;
  expect(schema, `${what} as ${type}`).toBeDefined();
  if (type === 'text/event-stream') {
    await response.body!.cancel();
    return status;
  }
  const text = await response.text();
  const isMany = type === 'application/x-ndjson' || text.includes('\r\n');
  for (const part of isMany ? text.split(/\r?\n/).filter((line) => line !== '') : [text]) {
    const value: unknown = JSON.parse(part);
    if (type !== 'application/x-ndjson') expect(problemOf(value, schema!), what).toBeNull();
  }
  return status;
}

function operations(): { method: string; path: string; operation: DocumentedOperation }[] {
  return Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
}

/** The bodies of an operation, each with its type; one of neither where it takes none. */
function bodiesOf({ path, operation }: { path: string; operation: DocumentedOperation }) {
  if (operation.requestBody === undefined) return [{}];
  return Object.keys(operation.requestBody.content).flatMap((type) => {
    const texts = path.startsWith('/v3/') ? [proxyV3Body] : bodies[type];
    expect(texts, `a body of the type ${type} to try`).toBeDefined();
    return texts!.map((body) => ({ type, body }));
  });
}

describe('what the OpenAPI document says', () => {
  it('is what a request gets that is as it says', async () => {
    let count = 0;
    for (const described of operations()) {
      const { operation } = described;
      for (const body of bodiesOf(described)) {
        expect(await check({ ...described, ...body, given: new Map() })).toBeLessThan(300);
        count++;
      }
      const [body] = bodiesOf(described);
      for (const parameter of operation.parameters) {
        for (const value of goodValues(parameter)) {
          const status = await check({ ...described, ...body, given: new Map([[parameter, value]]) });
          // A large number may mean a partition or an offset that is not there.
          expect([200, 207, 404, 416], `${operation.operationId} ${parameter.name}=${value}`).toContain(status);
          count++;
        }
      }
    }
    expect(count).toBeGreaterThan(150);
  });

  it('is what a request gets that is wrong', async () => {
    let count = 0;
    for (const described of operations()) {
      const [body] = bodiesOf(described);
      for (const parameter of described.operation.parameters) {
        for (const value of badValues(parameter)) {
          // A header cannot have just anything.
          if (parameter.in === 'header' && /[^\x20-\x7e]/.test(value)) continue;
          if (parameter.in !== 'query' && value === '') continue;
          const status = await check({ ...described, ...body, given: new Map([[parameter, value]]) });
          expect([400, status], `${described.operation.operationId} ${parameter.name}=${value}`).toEqual([400, 400]);
          count++;
        }
        // Asking where a producer goes on makes its topic.
        if (!parameter.name.startsWith('topic') || described.method !== 'get' || /producers/.test(described.path))
          continue;
        expect(await check({ ...described, given: new Map([[parameter, 'missing.but.legal']]) })).toBe(404);
      }
      if (described.operation.requestBody === undefined) continue;
      for (const type of Object.keys(described.operation.requestBody.content)) {
        if (type === 'application/octet-stream') continue;
        for (const wrong of ['{', '\xff', '']) {
          const status = await check({ ...described, type, body: wrong, given: new Map() });
          // A stream has begun before it is known to be wrong.
          if (!/ndjson|jsonl/.test(type) && !described.path.startsWith('/v3/'))
            expect([type, wrong, status]).toEqual([type, wrong, 400]);
          count++;
        }
      }
    }
    expect(count).toBeGreaterThan(80);
  });

  it('says which methods there are, and other paths are told so', async () => {
    for (const path of Object.keys(api.paths)) {
      const place = path.replaceAll(/\{[a-z_]+\}/gi, '1');
      const response = await http.fetch(place, { method: 'DELETE' });
      const methods = Object.keys(api.paths[path]!).map((method) => method.toUpperCase());
      expect([path, response.status]).toEqual([path, 405]);
      for (const method of methods) expect(response.headers.get('allow')).toContain(method);
      expect(problemOf(await response.json(), api.components.schemas['Problem']!)).toBeNull();
    }
    for (const path of ['/', '/nothing', '/topics/orders/nothing', '/v3/nothing']) {
      const response = await http.fetch(path);
      expect([path, response.status, response.headers.get('content-type')]).toEqual([
        path,
        404,
        'application/problem+json',
      ]);
      expect(problemOf(await response.json(), api.components.schemas['Problem']!)).toBeNull();
    }
  });
});
