/** Records over HTTP one by one, in arrays and lines, and compressed, with real sockets over a broker in memory. */

import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpHarness, linesOf } from './http-harness.ts';

let http: HttpHarness;

beforeEach(async () => {
  http = await HttpHarness.open({ topics: { t: 1, many: 4 } });
});

afterEach(async () => {
  await http.close();
});

async function values(topic: string, partition = 0): Promise<(string | null)[]> {
  return (await http.stored(topic, partition)).map(({ value }) => value);
}

describe('one record', () => {
  it('is stored byte for byte where it is JSON', async () => {
    const text = '{ "n": 1.000000000000000000001e999,  "text": "\\u00e9é" }';
    const response = await http.post('/topics/t', ` ${text}\n`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ topic: 't', partition: 0, offset: 0 });
    expect(await values('t')).toEqual([text]);
  });

  it('is the whole body of any other type', async () => {
    const response = await http.post('/topics/t', 'not { json', 'text/plain');
    expect(await response.json()).toEqual({ topic: 't', partition: 0, offset: 0 });
    await http.post('/topics/t', Buffer.alloc(300_000, 'x'), 'application/octet-stream');
    const stored = await values('t');
    expect(stored[0]).toBe('not { json');
    expect(stored[1]!.length).toBe(300_000);
  });

  it('takes key, partition, time and headers from the query', async () => {
    const query = 'key=k%C3%A9y&partition=2&timestamp=2020-11-24T12:00:00.5Z&header=a:1&header=b:x:y&acks=1';
    const response = await http.post(`/topics/many?${query}`, '1');
    expect(await response.json()).toEqual({ topic: 'many', partition: 2, offset: 0 });
    expect(await http.stored('many', 2)).toEqual([
      {
        key: 'kéy',
        value: '1',
        timestampMs: Date.parse('2020-11-24T12:00:00.5Z'),
        headers: [
          ['a', '1'],
          ['b', 'x:y'],
        ],
      },
    ]);
  });

  it('takes them from HTTP headers', async () => {
    await http.post('/topics/many', 'v', 'text/plain', {
      'millrace-key': 'k',
      'millrace-partition': '3',
      'millrace-timestamp': '1700000000000',
      'millrace-headers': 'a=1%262&b=',
    });
    expect(await http.stored('many', 3)).toEqual([
      {
        key: 'k',
        value: 'v',
        timestampMs: 1_700_000_000_000,
        headers: [
          ['a', '1&2'],
          ['b', ''],
        ],
      },
    ]);
  });

  it('makes its topic where that is allowed', async () => {
    const response = await http.post('/topics/new', '1');
    expect(await response.json()).toEqual({ topic: 'new', partition: 0, offset: 0 });
  });
});

describe('many records in one body', () => {
  it('are the elements of an array', async () => {
    const response = await http.post('/topics/t', '[1, "a" ,{"b":[2]}]');
    expect(await response.json()).toEqual({
      topic: 't',
      records: [0, 1, 2].map((offset) => ({ partition: 0, offset })),
    });
    expect(await values('t')).toEqual(['1', '"a"', '{"b":[2]}']);
    expect(await (await http.post('/topics/t', '[]')).json()).toEqual({ topic: 't', records: [] });
  });

  it('are envelopes with key and the rest', async () => {
    const envelopes = [
      { key: 'k', value: { a: 1 }, headers: { h: 'x', b: { base64: '/wA=' }, n: null, l: ['1', '2'] }, timestamp: 5 },
      { keyBase64: 'a2V5', text: 'é\n', partition: 1 },
      { key: 7, base64: 'aGk=', partition: 1, offset: 99 },
      { value: null, partition: 1 },
    ];
    const response = await http.post(
      '/topics/many?partition=0',
      JSON.stringify(envelopes),
      'application/vnd.millrace.v1+json',
    );
    expect(response.status).toBe(200);
    const [first] = await http.stored('many', 0);
    expect(first).toMatchObject({ key: 'k', value: '{"a":1}', timestampMs: 5 });
    expect(first!.headers.map(([name]) => name)).toEqual(['h', 'b', 'n', 'l', 'l']);
    expect((await http.stored('many', 1)).map(({ key, value }) => [key, value])).toEqual([
      ['key', 'é\n'],
      ['7', 'hi'],
      [null, null],
    ]);
  });

  it('have no member twice, whichever would count', async () => {
    const pair = (name: string, value: string): string => `{"${name}":${value},"${name}":${value}}`;
    const refusals = [
      ['key', '"k"', 'A record has one key, not key and key.'],
      ['value', '1', 'A record has one value, not value and value.'],
      ['headers', '{}', 'A record has headers twice.'],
      ['partition', '0', 'A record has partition twice.'],
      ['partition', 'null', 'A record has partition twice.'],
      ['timestamp', '5', 'A record has timestamp twice.'],
    ] as const;
    for (const [name, value, detail] of refusals) {
      const response = await http.post('/topics/t', pair(name, value), 'application/vnd.millrace.v1+json');
      expect([name, response.status, await response.json()]).toMatchObject([name, 422, { detail }]);
    }
    for (const name of ['key', 'value', 'partition', 'timestamp']) {
      const body = `{"records":[${pair(name, '0')}]}`;
      const response = await http.post('/topics/t', body, 'application/vnd.kafka.json.v2+json');
      expect(await response.json()).toMatchObject({ offsets: [{ error: `A record has ${name} twice.` }] });
    }
    const two = await http.post('/topics/t', '{"records":[],"records":[]}', 'application/vnd.kafka.json.v2+json');
    expect([two.status, await two.json()]).toMatchObject([400, { message: 'The body has records twice.' }]);
    const json = '{"type":"JSON","data":1}';
    const proxied = [
      ['key', json, 'A record has key twice.'],
      ['partition_id', '0', 'A record has partition_id twice.'],
      ['timestamp', '"2026-01-01T00:00:00Z"', 'A record has timestamp twice.'],
      ['headers', '[]', 'A record has headers twice.'],
    ] as const;
    for (const [name, value, message] of proxied) {
      const response = await http.post('/v3/clusters/c/topics/t/records', pair(name, value));
      expect(await response.json()).toEqual({ error_code: 422, message });
    }
    const types = await http.post('/v3/clusters/c/topics/t/records', `{"key":${pair('type', '"JSON"')}}`);
    expect(await types.json()).toEqual({ error_code: 422, message: 'The key of a record has type twice.' });
    expect(await values('t')).toEqual([]);
  });

  it('have so many headers and no more', async () => {
    const type = 'application/vnd.millrace.v1+json';
    for (const [count, status] of [
      [10_000, 200],
      [10_001, 422],
    ]) {
      const names = Array.from({ length: count! }, (_, i) => `"${i}":""`).join();
      const list = `"h":[${'"",'.repeat(count! - 1)}""]`;
      for (const headers of [names, list]) {
        expect((await http.post('/topics/t', `{"value":1,"headers":{${headers}}}`, type)).status).toBe(status);
      }
    }
    expect(await values('t')).toEqual(['1', '1']);
  });

  it('fail one by one', async () => {
    const envelopes = [{ value: 1 }, { base64: '!' }, { value: 2, partition: 9 }, { valu: 3 }];
    const type = 'application/vnd.millrace.v1+json';
    const response = await http.post('/topics/t', JSON.stringify(envelopes), type);
    expect(response.status).toBe(207);
    const { records } = (await response.json()) as { records: { error?: string }[] };
    expect(records.map(({ error }) => error)).toEqual([
      undefined,
      'INVALID_RECORD',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'INVALID_RECORD',
    ]);
    expect(await values('t')).toEqual(['1']);
    const all = await http.post('/topics/t', JSON.stringify(envelopes.slice(1)), type);
    expect(all.status).toBe(422);
    expect(all.headers.get('content-type')).toBe('application/problem+json');
    expect(await all.json()).toMatchObject({ status: 422, error: 'INVALID_RECORD', records: { length: 3 } });
  });
});

describe('NDJSON', () => {
  it('is acknowledged up to the last record', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `{"i":${i}}`);
    const response = await http.post('/topics/t', lines.join('\n'), 'application/x-ndjson; charset=utf-8');
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const told = linesOf(await response.text());
    expect(told.at(-1)).toEqual({ done: true, stored: 5000, failed: 0 });
    expect(told.at(-2)).toEqual({ acknowledged: 5000 });
    expect(await values('t')).toEqual(lines);
  });

  it('tells of lines that are wrong, and stores the others', async () => {
    const lines = ['1', 'x', '', '  ', '{"a":1} 2', '"\xff"', '{', '[1]\r', '7 '];
    const body = Buffer.from(lines.join('\n'), 'latin1');
    const response = await http.post('/topics/t?offsets=true', body, 'application/x-ndjson');
    const told = linesOf(await response.text());
    const failures = told.filter(({ error }) => error !== undefined);
    expect(failures.map(({ record, error }) => [record, error])).toEqual(
      [2, 3, 4, 5].map((record) => [record, 'INVALID_RECORD']),
    );
    expect(failures[3]).toMatchObject({ detail: expect.stringContaining('the line ends within a value') });
    expect(told.filter(({ count }) => count !== undefined)).toEqual([
      { record: 1, count: 1, partition: 0, offset: 0 },
      { record: 6, count: 2, partition: 0, offset: 1 },
    ]);
    expect(told.filter(({ acknowledged }) => acknowledged !== undefined).at(-1)).toEqual({ acknowledged: 7 });
    expect(told.at(-1)).toEqual({ done: true, stored: 3, failed: 4 });
    expect(await values('t')).toEqual(['1', '[1]', '7']);
  });

  it('is not looked at further where ten thousand lines in a row are no records', async () => {
    const body = `1\n${'x\n'.repeat(9999)}2\n${'x\n'.repeat(10_001)}3\n`;
    const told = linesOf(await (await http.post('/topics/t', body, 'application/x-ndjson')).text());
    expect(told.at(-1)).toMatchObject({ done: false, stored: 2, failed: 19_999, error: 'INVALID_RECORD' });
    expect(await values('t')).toEqual(['1', '2']);
  });

  it('is not looked at further where ten thousand records in a row find no place', async () => {
    await http.post('/topics/t', '1');
    const line = '{"value":1,"partition":9}\n';
    const client = http.raw(
      'POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/vnd.millrace.v1+x-ndjson\r\n',
      `Transfer-Encoding: chunked\r\n\r\n`,
    );
    // It goes on for as long as it is let.
    const chunk = Buffer.from(line.repeat(1000));
    const send = (): void => {
      if (client.closed || client.received.includes('"done"')) return;
      client.send(`${chunk.length.toString(16)}\r\n`);
      client.socket.write(Buffer.concat([chunk, Buffer.from('\r\n')]), () => setImmediate(send));
    };
    send();
    const received = await client.until((text) => text.endsWith('\r\n0\r\n\r\n'));
    expect(received).toContain('"error":"UNKNOWN_TOPIC_OR_PARTITION"');
    expect(received).toMatch(/"done":false,"stored":0,"failed":\d{5},"error":"INVALID_RECORD"/);
    client.end();
  });

  it.each([
    ['a coding that is not known', '/topics/t', 'br', ' 415 Unsupported'],
    ['a topic that is not there', '/topics/__millrace_groups', 'identity', ' 404 Not Found'],
    ['bytes that are no gzip', '/topics/t', 'gzip', ' 400 Bad Request'],
  ])('of %s is told so while it is sent, however long it is', async (_what, path, coding, status) => {
    const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Encoding: ${coding}\r\n`;
    const client = http.raw(head, 'Content-Length: 8000000\r\n\r\n');
    for (let i = 0; i < 8; i++) client.send(Buffer.alloc(1_000_000, '1'));
    const received = await client.until((text) => text.includes('}'));
    expect(received).toContain(status);
    client.send('GET /topics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await client.until((text) => text.includes('{"topics":['));
  });

  it('is acknowledged where all that came was wrong, so that nothing of it is kept', async () => {
    const client = http.raw(
      'POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n4\r\nx\ny\n\r\n',
    );
    expect(await client.until((text) => text.includes('"acknowledged":2'))).toContain('"record":2,"error"');
    client.send('4\r\nz\n1\n\r\n0\r\n\r\n');
    const text = await client.until((received) => received.includes('"done"'));
    expect(text).toContain('"record":3,"error"');
    expect(text).toContain('{"done":true,"stored":1,"failed":3}');
    expect(await values('t')).toEqual(['1']);
  });

  it('is acknowledged while it is sent', async () => {
    const client = http.raw(
      'POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    for (let i = 1; i <= 3; i++) {
      client.send('2\r\n1\n\r\n');
      await client.until((text) => text.includes(`{"acknowledged":${i}}`));
    }
    client.send('0\r\n\r\n');
    await client.until((text) => text.includes('"done":true'));
    expect(await values('t')).toEqual(['1', '1', '1']);
  });

  it('takes envelopes a line', async () => {
    const body =
      '{"key":"a","value":1,"partition":1}\n{"key":"b","text":"x","partition":1}\n{"partition":9,"value":1}\n';
    const response = await http.post('/topics/many', body, 'application/vnd.millrace.v1+x-ndjson');
    const told = linesOf(await response.text());
    expect(told).toContainEqual({
      record: 3,
      error: 'UNKNOWN_TOPIC_OR_PARTITION',
      detail: 'The topic many has 4 partitions, and none with the number 9.',
    });
    expect((await http.stored('many', 1)).map(({ key, value }) => [key, value])).toEqual([
      ['a', '1'],
      ['b', 'x'],
    ]);
  });

  it('keeps what was acknowledged of a body that stops half-way', async () => {
    const client = http.raw(
      'POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n1\n2\n3',
    );
    await client.until((text) => text.includes('{"acknowledged":2}'));
    client.end();
    expect(await values('t')).toEqual(['1', '2']);
  });
});

describe('compressed bodies', () => {
  it('leave their connection usable where they do not inflate while they are held back', async () => {
    const client = http.raw(
      'POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n',
      Buffer.alloc(60_000, 'x'),
    );
    await client.until((text) => text.includes('400 Bad Request'));
    client.send(Buffer.alloc(40_000, 'x'));
    client.send('GET /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    expect(await client.until((text) => text.includes('"name":"t"'))).toContain('200 OK');
  });

  it('are inflated', async () => {
    const headers = { 'content-encoding': 'gzip' };
    const one = await http.post('/topics/t', gzipSync('{"a":1}'), 'application/json', headers);
    expect(await one.json()).toEqual({ topic: 't', partition: 0, offset: 0 });
    const lines = Array.from({ length: 100_000 }, (_, i) => String(i));
    const many = await http.post('/topics/t', gzipSync(lines.join('\n')), 'application/x-ndjson', headers);
    expect(linesOf(await many.text()).at(-1)).toEqual({ done: true, stored: 100_000, failed: 0 });
    expect((await values('t')).slice(1)).toEqual(lines);
  });
});
