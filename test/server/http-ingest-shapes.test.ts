/** Records over HTTP in the shapes of others, CloudEvents and Confluent's REST Proxy, with real sockets over a broker in memory. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpHarness, linesOf } from './http-harness.ts';

let http: HttpHarness;

beforeEach(async () => {
  http = await HttpHarness.open({ topics: { t: 1, many: 4 } });
});

afterEach(async () => {
  await http.close();
});

describe('CloudEvents', () => {
  const event = { specversion: '1.0', id: '1', source: '/s', type: 'a.b', partitionkey: 'p', data: { x: 1 } };

  it('in binary mode become headers and a value', async () => {
    const response = await http.post('/topics/t', '{"x":1}', 'application/octet-stream', {
      'content-type': 'text/xml',
      'ce-specversion': '1.0',
      'ce-id': 'a%20b',
      'ce-source': '/s',
      'ce-type': 'a.b',
      'ce-partitionkey': 'p',
    });
    expect(response.status).toBe(200);
    const [record] = await http.stored('t');
    expect(record).toMatchObject({ key: 'p', value: '{"x":1}' });
    expect(Object.fromEntries(record!.headers)).toEqual({
      ce_specversion: '1.0',
      ce_id: 'a b',
      ce_source: '/s',
      ce_type: 'a.b',
      ce_partitionkey: 'p',
      'content-type': 'text/xml',
    });
  });

  it('in structured and batched mode stay as they are', async () => {
    const text = JSON.stringify(event);
    const one = await http.post('/topics/t', text, 'application/cloudevents+json; charset=utf-8');
    expect(await one.json()).toEqual({ topic: 't', partition: 0, offset: 0 });
    const two = await http.post('/topics/t', `[${text},${text}]`, 'application/cloudevents-batch+json');
    expect(await two.json()).toMatchObject({ records: { length: 2 } });
    expect(await http.stored('t')).toMatchObject(
      [0, 1, 2].map(() => ({
        key: 'p',
        value: text,
        headers: [['content-type', 'application/cloudevents+json; charset=UTF-8']],
      })),
    );
  });

  it('are refused where they are none', async () => {
    const type = 'application/cloudevents+json';
    for (const change of [{ id: undefined }, { specversion: '0.3' }, { source: '' }, { extra: {} }]) {
      const response = await http.post('/topics/t', JSON.stringify({ ...event, ...change }), type);
      expect([change, response.status]).toEqual([change, 422]);
    }
    expect((await http.post('/topics/t', '{}', 'text/plain', { 'ce-specversion': '1.0' })).status).toBe(422);
    expect((await http.post('/topics/t', '<event/>', 'application/cloudevents+xml')).status).toBe(415);
  });
});

describe("the shapes of Confluent's REST Proxy", () => {
  it('version 2, JSON', async () => {
    const body = '{"records":[{"key":"k","value":{"a": 1}},{"value":null},{"value":1,"partition":9}]}';
    const response = await http.post('/topics/t', body, 'application/vnd.kafka.json.v2+json');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/vnd.kafka.v2+json');
    expect(await response.json()).toEqual({
      key_schema_id: null,
      value_schema_id: null,
      offsets: [
        { partition: 0, offset: 0, error_code: null, error: null },
        { partition: 0, offset: 1, error_code: null, error: null },
        { partition: null, offset: null, error_code: 2, error: expect.stringContaining('number 9') },
      ],
    });
    expect((await http.stored('t')).map(({ key, value }) => [key, value])).toEqual([
      ['"k"', '{"a": 1}'],
      [null, null],
    ]);
  });

  it('version 2, binary, to one partition', async () => {
    const body = '{"records":[{"key":"a2V5","value":"dmFsdWU="}]}';
    const response = await http.post('/topics/many/partitions/3', body, 'application/vnd.kafka.binary.v2+json');
    expect(await response.json()).toMatchObject({ offsets: [{ partition: 3, offset: 0 }] });
    expect(await http.stored('many', 3)).toMatchObject([{ key: 'key', value: 'value' }]);
  });

  it('version 2, errors with a number', async () => {
    const response = await http.post('/topics/many/partitions/9', '{}', 'application/vnd.kafka.json.v2+json');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error_code: 40402, message: expect.any(String) });
    const missing = await http.post('/topics/__millrace_groups', '{}', 'application/vnd.kafka.json.v2+json');
    expect([missing.status, await missing.json()]).toMatchObject([404, { error_code: 40401 }]);
    expect((await http.post('/topics/t', '{}', 'application/vnd.kafka.avro.v2+json')).status).toBe(415);
    expect((await http.post('/topics/t', '{"records":1}', 'application/vnd.kafka.json.v2+json')).status).toBe(400);
  });

  it('version 3, what clients ask first', async () => {
    type List = { readonly data: readonly { readonly topics: { readonly related: string } }[] };
    const clusters = (await (await http.fetch('/v3/clusters')).json()) as List;
    const { clusterId } = http.broker.broker;
    expect(clusters).toMatchObject({ kind: 'KafkaClusterList', data: [{ cluster_id: clusterId }] });
    const topics = (await (await fetch(clusters.data[0]!.topics.related)).json()) as object;
    expect(topics).toMatchObject({
      data: expect.arrayContaining([expect.objectContaining({ topic_name: 'many', partitions_count: 4 })]),
    });
    const missing = await http.fetch(`/v3/clusters/${clusterId}/topics/none`);
    expect([missing.status, await missing.json()]).toMatchObject([404, { error_code: 40403 }]);
    expect((await http.fetch('/v3/clusters/other/topics')).status).toBe(404);
  });

  it('version 3, many at once, each reported in its turn', async () => {
    const body = Array.from({ length: 60_000 }, (_, i) => (i % 7 === 6 ? '{"key":1}' : '{}')).join('');
    const response = await http.post('/v3/clusters/c/topics/t/records', body);
    const reports = linesOf(await response.text());
    let offset = 0;
    expect(reports.map(({ error_code: code, offset: at }) => at ?? code)).toEqual(
      Array.from({ length: 60_000 }, (_, i) => (i % 7 === 6 ? 422 : offset++)),
    );
  });

  it('version 3, a stream', async () => {
    const path = '/v3/clusters/any/topics/many/records';
    const client = http.raw(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const send = (text: string): void => client.send(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
    send('{"partition_id":1,"key":{"type":"STRING","data":"k"},"value":{"type":"JSON","data":{"a":[1]}},');
    send('"headers":[{"name":"h","value":"eA=="}],"timestamp":"2026-01-01T00:00:00Z"} {"value":{"type":"BIN');
    await client.until((text) => text.includes('"offset":0'));
    send('ARY","data":"aGk="},"partition_id":1}{"value":{"type":"AVRO","data":1}}{"value":{"type":"BINARY","data":1}}');
    await client.until((text) => text.split('"error_code":422').length === 3);
    send('{"partition_id":1}');
    client.send('0\r\n\r\n');
    const text = await client.until((received) => received.endsWith('0\r\n\r\n'));
    const reports = [...text.matchAll(/\{"error_code".*\}/g)].map(([report]) => JSON.parse(report));
    expect(reports).toMatchObject([
      {
        error_code: 200,
        topic_name: 'many',
        partition_id: 1,
        offset: 0,
        timestamp: '2026-01-01T00:00:00.000Z',
        key: { type: 'STRING', size: 1 },
        value: { type: 'JSON', size: 9 },
      },
      { error_code: 200, offset: 1 },
      { error_code: 422 },
      { error_code: 422 },
      { error_code: 200, offset: 2 },
    ]);
    expect(await http.stored('many', 1)).toMatchObject([
      { key: 'k', value: '{"a":[1]}', headers: [['h', 'x']] },
      { key: null, value: 'hi' },
      { key: null, value: null },
    ]);
  });
});
