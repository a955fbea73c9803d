/** The authorizer and client quotas at the doors, with real sockets: who may not, and who may not so much. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AclOperation, AclResource, type Authorizer } from '../../src/broker/authorizer.ts';
import { limit } from '../broker/quotas/limit.ts';
import { JsonClient, SocketClient } from './door-harness.ts';
import { HttpHarness, linesOf } from './http-harness.ts';

/** Refuses what is named `secret`, and every creation. */
const guard: Authorizer = {
  allows: (_context, operation, _resource, name) => name !== 'secret' && operation !== AclOperation.CREATE,
  allowsOnAny: () => true,
};

describe('what nobody may', () => {
  let http: HttpHarness;

  beforeAll(async () => {
    http = await HttpHarness.open({ authorizer: guard });
    await http.broker.createTopic('secret');
    await http.broker.createTopic('open');
    await http.gateway.publisher.publish('secret', [{ value: Buffer.from('1') }]);
  });
  afterAll(() => http.close());

  const writes: readonly [what: string, path: string, type: string, body: string][] = [
    ['a record', '/topics/secret', 'application/json', '1'],
    ['bytes', '/topics/secret', 'text/plain', '1'],
    ['records', '/topics/secret', 'application/json', '[1,2]'],
    ['lines', '/topics/secret', 'application/x-ndjson', '1\n'],
    ['to a partition', '/topics/secret/partitions/0', 'application/json', '1'],
    ['a CloudEvent', '/topics/secret', 'application/cloudevents+json', '{}'],
    ['a topic that is missing', '/topics/missing', 'application/json', '1'],
  ];

  it.each(writes)('writes over HTTP: %s', async (_what, path, type, body) => {
    const response = await http.post(path, body, type);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ status: 403, error: 'TOPIC_AUTHORIZATION_FAILED' });
  });

  it("writes as to Confluent's REST Proxy, with its number", async () => {
    const v2 = await http.post('/topics/secret', '{"records":[{"value":1}]}', 'application/vnd.kafka.json.v2+json');
    expect([v2.status, await v2.json()]).toMatchObject([403, { error_code: 40_301 }]);
    const v3 = await http.post('/v3/clusters/c/topics/secret/records', '{"value":{"type":"JSON","data":1}}');
    expect([v3.status, await v3.json()]).toMatchObject([403, { error_code: 40_301 }]);
  });

  it.each([
    '/topics/secret',
    '/topics/secret/records',
    '/topics/secret/partitions/0/records',
    '/topics/secret/events',
    '/topics/secret/partitions/0/events',
    '/topics/secret/producers/p',
  ])('reads over HTTP: %s', async (path) => {
    const response = await http.fetch(path);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: 'TOPIC_AUTHORIZATION_FAILED' });
  });

  it('is not seen in lists', async () => {
    const { topics } = (await (await http.fetch('/topics')).json()) as { topics: { name: string }[] };
    expect(topics.map(({ name }) => name)).toEqual(['open']);
    const clusterId = http.broker.broker.clusterId;
    const { data } = (await (await http.fetch(`/v3/clusters/${clusterId}/topics`)).json()) as {
      data: { topic_name: string }[];
    };
    expect(data.map((topic) => topic.topic_name)).toEqual(['open']);
    const named = await http.fetch(`/v3/clusters/${clusterId}/topics/secret`);
    expect([named.status, await named.json()]).toMatchObject([403, { error_code: 40_301 }]);
  });

  it('writes raw messages', async () => {
    await using device = await SocketClient.open(`${http.socketUrl}/topics/secret/produce`);
    device.socket.send('a');
    expect(JSON.parse(await device.next())).toMatchObject({ error: 'TOPIC_AUTHORIZATION_FAILED', from: 1, count: 1 });
    await using named = await SocketClient.open(`${http.socketUrl}/topics/secret/produce?producer=p`);
    expect(JSON.parse(await named.next())).toMatchObject({ error: 'TOPIC_AUTHORIZATION_FAILED' });
    expect(await named.closed()).toBe(1013);
  });

  it('publishes, subscribes, follows by a pattern and commits over WebSocket', async () => {
    await using client = await JsonClient.open(http.socketUrl);
    const forbidden = { type: 'error', error: 'TOPIC_AUTHORIZATION_FAILED' };
    expect(await client.ask({ type: 'publish', id: 1, topic: 'secret', value: 1 })).toMatchObject({
      ...forbidden,
      id: 1,
    });
    expect(await client.ask({ type: 'producer', id: 2, producer: 'p', topic: 'secret' })).toMatchObject(forbidden);
    const subscribe = { type: 'subscribe', id: 3, from: 'earliest' };
    expect(await client.ask({ ...subscribe, subscription: 'a', topics: ['secret'] })).toMatchObject(forbidden);
    expect(await client.ask({ ...subscribe, subscription: 'b', topics: ['*'] })).toEqual({
      type: 'subscribed',
      id: 3,
      subscription: 'b',
      positions: [{ topic: 'open', partition: 0, offset: 0 }],
    });
    const grouped = { ...subscribe, subscription: 'c', topics: ['open'], partitions: [0] };
    expect(await client.ask({ ...grouped, group: 'secret' })).toMatchObject({ error: 'GROUP_AUTHORIZATION_FAILED' });
    expect(await client.ask({ ...grouped, group: 'mine' })).toMatchObject({ type: 'subscribed' });
    const positions = [{ topic: 'secret', partition: 0, offset: 1 }];
    expect(await client.ask({ type: 'commit', id: 4, subscription: 'c', positions })).toMatchObject(forbidden);
  });

  it('left nothing behind', async () => {
    expect(await http.stored('secret')).toHaveLength(1);
    expect(http.broker.broker.topics.topic('missing')).toBeNull();
  });
});

it('tells the authorizer from where a request comes', async () => {
  const hosts = new Set<string>();
  const http = await HttpHarness.open({
    authorizer: {
      allows: ({ connection, clientId }, _operation, resource) => {
        if (resource === AclResource.TOPIC) hosts.add(`${connection.clientHost} ${clientId}`);
        return true;
      },
      allowsOnAny: () => true,
    },
  });
  await http.post('/topics/t?clientId=shop', '1');
  await using device = await SocketClient.open(`${http.socketUrl}/topics/t/produce?clientId=sensor`);
  device.socket.send('a');
  await device.next();
  await using client = await JsonClient.open(http.socketUrl);
  await client.ask({ type: 'publish', id: 1, topic: 't', value: 1 });
  expect([...hosts]).toEqual(['127.0.0.1 shop', '127.0.0.1 sensor', '127.0.0.1 millrace-ws']);
  await http.close();
});

describe('a client above its quota', () => {
  const turns = async (count = 20): Promise<void> => {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  /** Ten windows of a second: what is 1 % above the limit waits for 100 ms, ten times as much for 90 s. */
  const rate = 1000;

  async function opened(key: string): Promise<HttpHarness> {
    const http = await HttpHarness.open({ clockOf: ({ clock }) => clock });
    await http.broker.createTopic('t');
    await limit(http.broker, { 'client-id': 'shop' }, key, rate);
    return http;
  }

  it('is answered later, and sent away where that would be too late', async () => {
    const http = await opened('producer_byte_rate');
    const post = (sizeBytes: number, clientId = 'shop') =>
      http.post(`/topics/t?clientId=${clientId}`, 'x'.repeat(sizeBytes), 'text/plain');
    expect((await post(12_000)).status).toBe(200);
    let answered = false;
    const held = post(1).then((response) => {
      answered = true;
      return response;
    });
    while ((await http.stored('t')).length < 2) await turns(1);
    // Another's request goes there and back meanwhile.
    expect((await post(100_000, 'another')).status).toBe(200);
    expect(answered).toBe(false);
    http.broker.clock.advance(2100);
    expect((await held).status).toBe(200);
    expect((await post(100_000)).status).toBe(200);
    for (const type of ['text/plain', 'application/json', 'application/x-ndjson']) {
      const refused = await http.post('/topics/t?clientId=shop', '1', type);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60);
      expect(await refused.json()).toMatchObject({ error: 'THROTTLING_QUOTA_EXCEEDED' });
    }
    expect(await http.stored('t')).toHaveLength(4);
    await http.close();
  });

  it('has nothing stored of a body that is refused while its answer waits', async () => {
    const limits = { largestBodyBytes: 1000, allBodiesBytes: 1e6, stillMs: 1e4 };
    const http = await HttpHarness.open({ clockOf: ({ clock }) => clock, bodyLimits: limits });
    await http.broker.createTopic('t');
    await limit(http.broker, { 'client-id': 'shop' }, 'producer_byte_rate', 10);
    expect((await http.post('/topics/t?clientId=shop', 'x'.repeat(120), 'text/plain')).status).toBe(200);
    const client = http.raw(
      'POST /topics/t?clientId=shop HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    const chunk = (sizeBytes: number) => client.send(`${sizeBytes.toString(16)}\r\n${'y'.repeat(sizeBytes)}\r\n`);
    for (const sizeBytes of [600, 600, 300]) {
      chunk(sizeBytes);
      for (let i = 0; i < 3; i++) await http.fetch('/topics');
    }
    client.send('0\r\n\r\n');
    for (let i = 0; i < 3; i++) await http.fetch('/topics');
    expect(client.received).toBe('');
    http.broker.clock.advance(5000);
    expect(await client.until((text) => text.includes('}'))).toContain('413 Content Too Large');
    expect(await http.stored('t')).toHaveLength(1);
    await http.close();
  });

  it('is answered at once by a broker that stops', async () => {
    const http = await opened('producer_byte_rate');
    const post = (sizeBytes: number) => http.post('/topics/t?clientId=shop', 'x'.repeat(sizeBytes), 'text/plain');
    await post(12_000);
    const held = post(1);
    while ((await http.stored('t')).length < 2) await turns(1);
    await turns();
    const closing = http.server.close();
    expect((await held).status).toBe(200);
    await closing;
    await http.close();
  });

  it('has a stream of lines read no further until it is within', async () => {
    const http = await opened('producer_byte_rate');
    const line = `"${'x'.repeat(19_997)}"\n`;
    const head = 'POST /topics/t?clientId=shop HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n';
    const client = http.raw(`${head}transfer-encoding: chunked\r\n\r\n`);
    const chunk = (text: string) => client.send(`${text.length.toString(16)}\r\n${text}\r\n`);
    chunk(line);
    await client.until((text) => text.includes('{"acknowledged":1}'));
    chunk(line);
    while ((await http.stored('t')).length < 2) await turns(1);
    await turns();
    expect(client.received).not.toContain('"acknowledged":2');
    http.broker.clock.advance(11_000);
    await client.until((text) => text.includes('{"acknowledged":2}'));
    client.send('0\r\n\r\n');
    http.broker.clock.advance(60_000);
    expect(await client.until((text) => text.includes('"done"'))).toContain('"stored":2');
    await http.close();
  });

  it('hears of its raw messages later', async () => {
    const http = await opened('producer_byte_rate');
    await using device = await SocketClient.open(`${http.socketUrl}/topics/t/produce?clientId=shop`);
    device.socket.send('x'.repeat(20_000));
    expect(await device.next()).toBe('1');
    device.socket.send('y');
    while ((await http.stored('t')).length < 2) await turns(1);
    await turns();
    expect(device.received).toEqual(['1']);
    http.broker.clock.advance(11_000);
    expect(await device.next()).toBe('2');
    await http.close();
  });

  it('reads pages and events more slowly', async () => {
    const http = await opened('consumer_byte_rate');
    const value = Buffer.from('x'.repeat(20_000));
    await http.gateway.publisher.publish('t', [{ value }]);
    const events = http.raw('GET /topics/t/events?clientId=shop&offset=0 HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await events.until((text) => text.includes('"offset":0'));
    await http.gateway.publisher.publish('t', [{ value: Buffer.from('next') }]);
    const page = await http.fetch('/topics/t/records?clientId=shop');
    expect(page.status).toBe(429);
    expect(page.headers.get('retry-after')).toBe('10');
    expect(events.received).not.toContain('"offset":1');
    http.broker.clock.advance(10_500);
    await events.until((text) => text.includes('"offset":1'));
    const other = await http.fetch('/topics/t/records?clientId=another&limit=1&format=ndjson');
    expect(linesOf(await other.text())).toHaveLength(2);
    await http.close();
  });

  it('gets the records of a subscription more slowly', async () => {
    const http = await opened('consumer_byte_rate');
    await http.gateway.publisher.publish('t', [{ value: Buffer.from('x'.repeat(20_000)) }]);
    const client = new JsonClient(`${http.socketUrl}/ws?clientId=shop`, ['millrace.v1']);
    await new Promise((resolve) => client.socket.once('open', resolve));
    await client.ask({ type: 'subscribe', id: 1, subscription: 's', topics: ['t'], from: 'earliest' });
    expect(await client.records(1)).toHaveLength(1);
    await http.gateway.publisher.publish('t', [{ value: Buffer.from('2') }]);
    expect(await client.ask({ type: 'ping', id: 2 })).toMatchObject({ type: 'pong' });
    http.broker.clock.advance(11_000);
    expect(await client.records(1)).toMatchObject([{ value: 2 }]);
    await client[Symbol.asyncDispose]();
    await http.close();
  });

  it('waits for the time of the thread that it took, over HTTP and WebSocket', async () => {
    let takesMs = 0;
    const http: HttpHarness = await HttpHarness.open({
      clockOf: ({ clock }) => clock,
      authorizer: {
        allows: () => {
          http.broker.clock.advance(takesMs);
          return true;
        },
        allowsOnAny: () => true,
      },
    });
    await http.broker.createTopic('t');
    await limit(http.broker, { 'client-id': 'shop' }, 'request_percentage', 1);
    const post = (clientId: string) => http.post(`/topics/t?clientId=${clientId}`, '1', 'text/plain');
    takesMs = 500;
    expect((await post('shop')).status).toBe(200);
    expect((await post('another')).status).toBe(200);
    takesMs = 0;
    let answered = false;
    const held = post('shop').then((response) => {
      answered = true;
      return response;
    });
    while ((await http.stored('t')).length < 3) await turns(1);
    expect((await post('another')).status).toBe(200);
    expect(answered).toBe(false);
    // Nobody waits longer than a window.
    http.broker.clock.advance(1000);
    expect((await held).status).toBe(200);

    await using device = await SocketClient.open(`${http.socketUrl}/topics/t/produce?clientId=shop`);
    takesMs = 500;
    device.socket.send('a');
    while ((await http.stored('t')).length < 5) await turns(1);
    await turns();
    expect(device.received).toEqual([]);
    takesMs = 0;
    http.broker.clock.advance(1000);
    expect(await device.next()).toBe('1');
    await http.close();
  });

  it('has no more topics created by naming them than it may', async () => {
    const http = await HttpHarness.open({ clockOf: ({ clock }) => clock });
    // A burst of 1.1: the second topic is let in with what is left of it, and is owed.
    await limit(http.broker, { 'client-id': 'shop' }, 'controller_mutation_rate', 0.1);
    const post = (topic: string, type = 'text/plain') => http.post(`/topics/${topic}?clientId=shop`, '[1]', type);
    expect((await post('bytes')).status).toBe(200);
    expect((await post('array', 'application/json')).status).toBe(200);
    for (const type of ['text/plain', 'application/json', 'application/x-ndjson']) {
      const refused = await post('third', type);
      expect(await refused.text()).toContain('"THROTTLING_QUOTA_EXCEEDED"');
    }
    await using device = await SocketClient.open(`${http.socketUrl}/topics/third/produce?clientId=shop`);
    device.socket.send('a');
    expect(await device.next()).toContain('controller_mutation_rate');
    expect(http.broker.broker.topics.topic('third')).toBeNull();
    // What is there takes records all the same, and others create what they like.
    expect((await post('bytes')).status).toBe(200);
    expect((await http.post('/topics/third', '1')).status).toBe(200);
    http.broker.clock.advance(20_000);
    device.socket.send('b');
    await device.until(() => device.received.includes('2'));
    expect((await post('fourth', 'application/x-ndjson')).status).toBe(200);
    await http.close();
  });
});
