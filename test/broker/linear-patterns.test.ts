import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { LinearPatterns } from '../../src/broker/linear-patterns.ts';

test('whole names match, as RE2 understands expressions', async () => {
  const patterns = new LinearPatterns(systemClock, silentLogger);
  await patterns.ready();
  const names = ['orders', 'orders-eu', 'Orders', 'payments', 'pay.ments'];
  const matched = await patterns.match(
    ['orders', 'orders.*', '(?i)orders', 'pay\\.ments', 'a|payments', '[^o].*'],
    names,
  );
  expect([...matched.values()].map((topics) => [...topics])).toEqual([
    ['orders'],
    ['orders', 'orders-eu'],
    ['orders', 'Orders'],
    ['pay.ments'],
    ['payments'],
    ['Orders', 'payments', 'pay.ments'],
  ]);
});

test.each([
  ['a(b', 'missing closing )'],
  ['[a', 'missing closing ]'],
  ['(?=look)a', 'invalid or unsupported Perl syntax'],
  ['a**', 'invalid nested repetition operator'],
  ['(a{1000}){1000}', 'invalid repeat count'],
  ['a{1001}', 'invalid repeat count'],
  [String.raw`(a)\1`, 'invalid escape sequence'],
  ['a'.repeat(3000), 'it is longer than 2048 characters'],
  ['(?:.{400}b{400}){9}', 'it repeats too much'],
  ['(a?){1000}'.repeat(200), 'it repeats too much'],
  [`(?:${'topic-'.repeat(100)}){1000}`, 'it repeats too much'],
])('%s is refused', async (pattern, problem) => {
  const patterns = new LinearPatterns(systemClock, silentLogger);
  await patterns.ready();
  expect(patterns.problemOf(pattern.slice(0, 3000))).toBe(problem);
});

test('what takes others for ever takes no time', async () => {
  const patterns = new LinearPatterns(systemClock, silentLogger);
  const name = 'a'.repeat(248);
  const matched = await patterns.match(['(a+)+b', '(a|a)*b', '(.*)*(.*)*(.*)*x'], [name]);
  expect([...matched.values()].map(({ size }) => size)).toEqual([0, 0, 0]);
});
