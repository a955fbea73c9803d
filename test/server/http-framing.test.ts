/** Requests whose length is in doubt: what one server takes for a body another might take for a request (CWE-444). */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpHarness } from './http-harness.ts';

let http: HttpHarness;

beforeEach(async () => {
  http = await HttpHarness.open();
  await http.broker.createTopic('t');
});

afterEach(async () => {
  // The others are unharmed.
  expect((await http.post('/topics/t', '1')).status).toBe(200);
  await http.close();
});

const smuggled =
  'POST /topics/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx';
const head = 'POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n';
const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

const doubtful: readonly (readonly [what: string, request: string])[] = [
  [
    'both lengths, the chunks shorter',
    `${head}Content-Length: ${5 + smuggled.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    'both lengths, the body shorter',
    `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(smuggled)}`,
  ],
  ['two lengths', `${head}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
  ['a list of lengths', `${head}Content-Length: 0, ${smuggled.length}\r\n\r\n${smuggled}`],
  ['a length with a sign', `${head}Content-Length: +${smuggled.length}\r\n\r\n${smuggled}`],
  ['a negative length', `${head}Content-Length: -1\r\n\r\n${smuggled}`],
  ['a length in hexadecimal', `${head}Content-Length: 0x${smuggled.length.toString(16)}\r\n\r\n${smuggled}`],
  ['a length beyond 64 bits', `${head}Content-Length: 18446744073709551616\r\n\r\n${smuggled}`],
  ['a coding that is not chunked', `${head}Transfer-Encoding: gzip\r\n\r\n${smuggled}`],
  ['a coding nearly called chunked', `${head}Transfer-Encoding: xchunked\r\n\r\n${smuggled}`],
  ['chunked, and another coding behind it', `${head}Transfer-Encoding: chunked, identity\r\n\r\n${smuggled}`],
  [
    'two codings, one hidden by a space before the colon',
    `${head}Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n${chunked(smuggled)}`,
  ],
  ['a chunk beyond 64 bits', `${head}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n${smuggled}`],
  ['a negative chunk', `${head}Transfer-Encoding: chunked\r\n\r\n-1\r\n${smuggled}`],
  ['a chunk that does not end where it says', `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n${smuggled}`],
  ['a header folded over two lines', `${head}X-A: b\r\n Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
  ['a bare newline between headers', `${head}X-A: b\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
];

describe('a request whose length is in doubt', () => {
  it.each(doubtful)('smuggles nothing in: %s', async (_what, request) => {
    const client = http.raw(request);
    // Another's request goes there and back; what came before it is dealt with.
    for (let i = 0; i < 3; i++) expect((await http.fetch('/topics')).status).toBe(200);
    const { topics } = (await (await http.fetch('/topics')).json()) as { topics: { name: string }[] };
    client.end();
    expect({ names: topics.map(({ name }) => name), received: client.received }).toMatchObject({ names: ['t'] });
    expect(client.received).not.toContain(' 200 OK');
  });

  it('is a body that ends with trailers, whatever they say', async () => {
    const client = http.raw(`${head}Transfer-Encoding: chunked\r\n\r\n1;ext=a\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n`);
    await client.until((text) => text.includes('}'));
    client.send('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    const received = await client.until((text) => text.endsWith('ok\n') || text.includes(' 400 '));
    expect(received).not.toContain('"offset":1');
  });
});
