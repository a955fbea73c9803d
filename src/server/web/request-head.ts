/**
 * The head of an HTTP request, read with suspicion: what one server takes for the end of a request another must not take for
 * something else (RFC 9112; CWE-444). Any thread; pure.
 *
 *   POST /topics/t?acks=1 HTTP/1.1 ⏎ Name: value ⏎ … ⏎ ⏎      ⏎ is CR LF, and nothing else is
 *
 * A length comes once and in digits; a transfer coding is `chunked` and nothing else, and not beside a length; no line is
 * folded, no space stands before a colon; HTTP/1.1 names one host.
 */

import type { HttpHandler, HttpRequest } from '../http-route.ts';

/** A longer head is refused, in bytes: ids of events are long where a topic has many partitions. */
export const largestHeadBytes = 16 * 1024;
const mostHeaders = 100;
const longestLength = 15;

/** Why a request cannot be read: a status, and a sentence. */
export interface HeadProblem {
  readonly status: number;
  readonly reason: string;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const targetText = /^[!-~]+$/;
/** A control character, of which only the tab may be in a value. */
// eslint-disable-next-line no-control-regex
const control = /[\0-\u0008\u000a-\u001f\u007f]/;

const tooMany: HeadProblem = { status: 431, reason: 'The request has more headers than are read.' };

/** One request's head. It may be used again for others that are the same. */
export class RequestHead implements HttpRequest {
  readonly method: string;
  /** The path as it came, percent-encoded. */
  readonly path: string;
  /** Behind the question mark; null where there is none. */
  readonly query: string | null;
  /** Of HTTP/1. */
  readonly minorVersion: number;
  readonly names: readonly string[];
  readonly values: readonly string[];
  /** The body's size, in bytes; -1 where it comes in chunks. */
  readonly contentLength: number;
  /** Whether another request may follow over the connection. */
  readonly keepsAlive: boolean;
  /** Whether the client waits to be told that its body is wanted (RFC 9110, section 10.1.1). */
  readonly expectsContinue: boolean;
  /** Set by the server: what stands for the parameters of the route, and who serves it; null while nobody was looked for. */
  parameters: readonly string[] = [];
  handler: HttpHandler | null = null;

  constructor(
    line: { readonly method: string; readonly target: string; readonly minorVersion: number },
    names: readonly string[],
    values: readonly string[],
    contentLength: number,
  ) {
    const { method, target, minorVersion } = line;
    const mark = target.indexOf('?');
    this.method = method;
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? null : target.slice(mark + 1);
    this.minorVersion = minorVersion;
    this.names = names;
    this.values = values;
    this.contentLength = contentLength;
    this.keepsAlive = minorVersion === 1 && !/\bclose\b/i.test(this.getHeader('connection'));
    this.expectsContinue = minorVersion === 1 && this.getHeader('expect').toLowerCase() === '100-continue';
  }

  getHeader(name: string): string {
    const { names } = this;
    for (let i = 0; i < names.length; i++) if (names[i] === name) return this.values[i]!;
    return '';
  }

  forEachHeader(visit: (name: string, value: string) => void): void {
    for (const [i, name] of this.names.entries()) visit(name, this.values[i]!);
  }

  getParameter(index: number): string {
    return this.parameters[index] ?? '';
  }
}

/** Where the empty line begins that ends the head from `at` on; -1 where there is none before `end`. */
export function endOfHead(bytes: Uint8Array, at: number, end: number): number {
  for (let i = at; i + 3 < end;) {
    const last = bytes[i + 3]!;
    if (last > 13) i += 4;
    else if (last === 10 && bytes[i + 2] === 13 && bytes[i + 1] === 10 && bytes[i] === 13) return i;
    else i++;
  }
  return -1;
}

/** Reads a head, of which `text` is everything before the empty line, a character a byte. */
export function readHead(text: string): RequestHead | HeadProblem {
  const lines = text.split('\r\n', mostHeaders + 2);
  if (lines.length > mostHeaders + 1) return tooMany;
  const line = readLine(lines[0]!);
  if ('status' in line) return line;
  const names: string[] = [];
  const values: string[] = [];
  for (let i = 1; i < lines.length; i++) {
    const header = lines[i]!;
    const colon = header.indexOf(':');
    const name = header.slice(0, Math.max(colon, 0));
    if (!token.test(name)) return bad('A header is no name, a colon and a value.');
    const value = header.slice(colon + 1);
    if (control.test(value)) return bad('A header has a value with control characters.');
    names.push(name.toLowerCase());
    values.push(trimmed(value));
  }
  if (line.minorVersion === 1 && countOf(names, 'host') !== 1) return bad('A request names one host.');
  const length = lengthOf(names, values, line.minorVersion);
  if (typeof length !== 'number') return length;
  return new RequestHead(line, names, values, length);
}

function readLine(
  text: string,
): { readonly method: string; readonly target: string; readonly minorVersion: number } | HeadProblem {
  const [method = '', target = '', version = '', ...more] = text.split(' ', 4);
  if (!token.test(method) || !targetText.test(target) || more.length > 0)
    return bad('The request does not begin with a method, a path and a version.');
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') {
    if (/^HTTP\/\d\.\d$/.test(version)) return { status: 505, reason: 'HTTP/1.1 is spoken here.' };
    return bad('The request does not begin with a method, a path and a version.');
  }
  const path = pathOf(method, target);
  if (path === null) return bad('The path of a request begins with a slash.');
  return { method, target: path, minorVersion: version === 'HTTP/1.1' ? 1 : 0 };
}

/** Of a target in any of its forms (RFC 9112, section 3.2). */
function pathOf(method: string, target: string): string | null {
  if (target.startsWith('/')) return target;
  if (target === '*' && method === 'OPTIONS') return target;
  const absolute = /^https?:\/\/[^/?#]+(.*)$/i.exec(target);
  if (absolute === null) return null;
  const path = absolute[1]!;
  return path.startsWith('/') ? path : `/${path}`;
}

/** The body's size; -1 where it comes in chunks. */
function lengthOf(names: readonly string[], values: readonly string[], minorVersion: number): number | HeadProblem {
  const lengths = countOf(names, 'content-length');
  const codings = countOf(names, 'transfer-encoding');
  if (codings > 0) {
    const coding = values[names.indexOf('transfer-encoding')]!;
    if (codings > 1 || lengths > 0 || minorVersion === 0 || coding.toLowerCase() !== 'chunked')
      return bad('The length of the body is in doubt: it comes as chunked alone, or with a length alone.');
    return -1;
  }
  if (lengths === 0) return 0;
  const text = values[names.indexOf('content-length')]!;
  if (lengths > 1 || text.length > longestLength || !/^\d+$/.test(text))
    return bad('The length of the body is in doubt: Content-Length is one number in digits.');
  return Number(text);
}

function countOf(names: readonly string[], name: string): number {
  let count = 0;
  for (let i = 0; i < names.length; i++) if (names[i] === name) count++;
  return count;
}

/** Without the spaces and tabs around it. */
function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function bad(reason: string): HeadProblem {
  return { status: 400, reason };
}
