/** Heads of requests: what is read of them, and what is refused because another server might read it differently. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkedBody } from '../../../src/server/web/chunked-body.ts';
import { endOfHead, readHead, RequestHead } from '../../../src/server/web/request-head.ts';

function read(text: string): RequestHead {
  const head = readHead(text);
  if ('status' in head) throw new Error(head.reason);
  return head;
}

function statusOf(text: string): number | 'taken' {
  const head = readHead(text);
  return 'status' in head ? head.status : 'taken';
}

const get = 'GET / HTTP/1.1\r\nHost: h';

describe('readHead', () => {
  it('gives the method, the path, the query and headers without the spaces around them', () => {
    const head = read(
      'POST /topics/%41?acks=1&x HTTP/1.1\r\nHOST: h\r\nX-One:  a b \t\r\nx-two:\r\nContent-Length: 12',
    );
    expect(head).toMatchObject({ method: 'POST', path: '/topics/%41', query: 'acks=1&x', contentLength: 12 });
    expect(['host', 'x-one', 'x-two', 'x-three'].map((name) => head.getHeader(name))).toEqual(['h', 'a b', '', '']);
    expect(read(get)).toMatchObject({ query: null, contentLength: 0, keepsAlive: true });
  });

  it('takes targets in all their forms', () => {
    const pathOf = (target: string, method = 'GET') => read(`${method} ${target} HTTP/1.1\r\nHost: h`).path;
    expect(pathOf('http://other:80/a?b')).toBe('/a');
    expect(pathOf('http://other')).toBe('/');
    expect(pathOf('*', 'OPTIONS')).toBe('*');
    expect(statusOf('GET * HTTP/1.1\r\nHost: h')).toBe(400);
    expect(statusOf('CONNECT other:80 HTTP/1.1\r\nHost: h')).toBe(400);
  });

  it('knows whether another request may follow', () => {
    expect(read(`${get}\r\nConnection: keep-alive, Close`).keepsAlive).toBe(false);
    expect(read('GET / HTTP/1.0').keepsAlive).toBe(false);
  });

  it.each([
    ['no version', 'GET /'],
    ['a version of its own', 'GET / HTTP/1.1x\r\nHost: h'],
    ['two spaces', 'GET  / HTTP/1.1\r\nHost: h'],
    ['more behind the version', 'GET / HTTP/1.1 x\r\nHost: h'],
    ['bytes beyond ASCII in its target', 'GET /é HTTP/1.1\r\nHost: h'],
    ['no host', 'GET / HTTP/1.1'],
    ['two hosts', `${get}\r\nHost: i`],
    ['a line that is folded', `${get}\r\n folded: a`],
    ['a space before a colon', `${get}\r\nA : b`],
    ['a header without a name', `${get}\r\n: b`],
    ['a header without a colon', `${get}\r\nabc`],
    ['a newline alone', `${get}\r\nA: b\nC: d`],
    ['a carriage return alone', `${get}\r\nA: b\rC: d`],
    ['a zero', `${get}\r\nA: \0`],
    ['a length twice', `${get}\r\nContent-Length: 1\r\nContent-Length: 1`],
    ['a length with a sign', `${get}\r\nContent-Length: +1`],
    ['no length where it names one', `${get}\r\nContent-Length: `],
    ['a length and chunks', `${get}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked`],
    ['chunks twice', `${get}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked`],
    ['another coding', `${get}\r\nTransfer-Encoding: gzip, chunked`],
    ['chunks in HTTP/1.0', 'GET / HTTP/1.0\r\nTransfer-Encoding: chunked'],
  ])('refuses a request with %s', (_what, text) => {
    expect(statusOf(text)).toBe(400);
  });

  it('refuses other versions and floods of headers by their names', () => {
    expect(statusOf('GET / HTTP/2.0\r\nHost: h')).toBe(505);
    expect(statusOf(`${get}${'\r\nA: b'.repeat(99)}`)).toBe('taken');
    expect(statusOf(`${get}${'\r\nA: b'.repeat(100)}`)).toBe(431);
  });
});

describe('endOfHead', () => {
  it('is where the first empty line begins, wherever that lies', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '\r', '\n', '\r\n', '\r\n\r\n'), maxLength: 30 }), (text) => {
        const bytes = Buffer.from(`xx${text}yy`);
        expect(endOfHead(bytes, 2, bytes.length - 2)).toBe(
          text.includes('\r\n\r\n') ? 2 + text.indexOf('\r\n\r\n') : -1,
        );
      }),
    );
  });
});

/** What a body comes to whose bytes come in parts of these sizes: the text, and what is behind it; null where it is malformed. */
function unchunk(text: string, sizes: readonly number[]): { readonly body: string; readonly rest: string } | null {
  const chunks = new ChunkedBody();
  const bytes = Buffer.from(text, 'latin1');
  let body = '';
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = Math.min(bytes.length, at + sizes[i % sizes.length]!);
    at = chunks.take(bytes, at, end, (from, to) => (body += bytes.toString('latin1', from, to)));
    if (at < 0) return null;
    if (chunks.isDone) return { body, rest: bytes.toString('latin1', at) };
  }
  return { body, rest: 'nothing, as it is not whole' };
}

describe('ChunkedBody', () => {
  it('gives the same wherever what came is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\r', '\n', '0'), minLength: 1, maxLength: 40 })),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        fc.constantFrom('', ';a=b', ';a="c"'),
        fc.constantFrom('', 'Trailer: x\r\n', 'A: 1\r\nB: 2\r\n'),
        (parts, sizes, extension, trailers) => {
          const chunks = parts.map((part) => `${part.length.toString(16)}${extension}\r\n${part}\r\n`).join('');
          expect(unchunk(`${chunks}0${extension}\r\n${trailers}\r\nGET`, sizes)).toEqual({
            body: parts.join(''),
            rest: 'GET',
          });
        },
      ),
    );
  });

  it.each([
    'x\r\n',
    '\r\n',
    '-1\r\n',
    '+1\r\na\r\n',
    ' 1\r\na\r\n',
    '1 \r\na\r\n',
    '0x1\r\na\r\n',
    '1\na\r\n',
    '1\r\nab\r\n',
    '1\r\na\n0\r\n\r\n',
    '10000000000000\r\n',
    `1;${'a'.repeat(20_000)}\r\na\r\n`,
    `0\r\n${'A: b\r\n'.repeat(4000)}\r\n`,
    '0\r\nA: b\n\r\n',
  ])('refuses %j', (text) => {
    expect(unchunk(text, [7])).toBe(null);
  });
});
