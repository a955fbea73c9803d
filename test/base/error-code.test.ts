import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ErrorCode, errorName, isRetriable } from '../../src/base/error-code.ts';

it('holds the error codes of Kafka 4.4, each with its name and whether it may be retried', () => {
  const facts = readFileSync(new URL('facts/kafka-4.4-errors.tsv', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split('\t'));
  expect(facts.length).toBeGreaterThan(100);
  for (const [code, name, retriable] of facts) {
    expect(ErrorCode[name as keyof typeof ErrorCode], name).toBe(Number(code));
    expect(errorName(Number(code))).toBe(name);
    expect(isRetriable(Number(code)), name).toBe(retriable === 'true');
  }
  expect(Object.keys(ErrorCode)).toHaveLength(facts.length);
  expect(errorName(9_999)).toBe('ERROR_9999');
});
