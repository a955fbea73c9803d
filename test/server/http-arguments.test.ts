import { expect, it } from 'vitest';
import { Arguments, ArgumentReader } from '../../src/server/http-api/arguments.ts';
import type { Parameter } from '../../src/server/http-api/operation.ts';

const text = { description: '', schema: { type: 'string' } } as const;
const parameters: Parameter[] = [
  { ...text, name: 'topic', in: 'path' },
  { ...text, name: 'key', in: 'query' },
  { ...text, name: 'acks', in: 'query', schema: { type: 'string', enum: ['all', '1'], default: 'all' } },
  { ...text, name: 'Millrace-Key', in: 'header' },
];

function read(reader: ArgumentReader, topic: string, query: string, headers: Readonly<Record<string, string>> = {}) {
  const args = reader.read([topic], query, { getHeader: (name) => headers[name] ?? '' });
  if (!(args instanceof Arguments)) return args.detail;
  return ['topic', 'key', 'acks', 'Millrace-Key'].map((name) => args.text(name));
}

it('gives each request its own arguments, though path and query come again', () => {
  const reader = new ArgumentReader({ parameters });
  expect(read(reader, 'a', '')).toEqual(['a', undefined, 'all', undefined]);
  expect(read(reader, 'a', '', { 'millrace-key': 'k' })).toEqual(['a', undefined, 'all', 'k']);
  expect(read(reader, 'a', '')).toEqual(['a', undefined, 'all', undefined]);
  expect(read(reader, 'a', 'acks=1&key=q')).toEqual(['a', 'q', '1', undefined]);
  expect(read(reader, 'b', 'acks=1&key=q')).toEqual(['b', 'q', '1', undefined]);
  expect(read(reader, 'b', 'acks=1')).toEqual(['b', undefined, '1', undefined]);
  expect(read(reader, 'b', 'acks=2')).toContain('acks');
  expect(read(reader, 'b', 'acks=1', { 'millrace-key': 'k' })).toEqual(['b', undefined, '1', 'k']);
  expect(read(reader, '%62', 'acks=1')).toEqual(['b', undefined, '1', undefined]);
  expect(read(reader, '%ff', 'acks=1')).toContain('{topic}');
});

it('keeps one arguments object for requests that ask for the same', () => {
  const reader = new ArgumentReader({ parameters });
  const none = { getHeader: () => '' };
  expect(reader.read(['a'], 'acks=1', none)).toBe(reader.read(['a'], 'acks=1', none));
});
