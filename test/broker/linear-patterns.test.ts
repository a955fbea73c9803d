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
  [String.raw`\pL\PN`.repeat(40), 'it has too many classes of Unicode'],
  ['a?'.repeat(1000), 'it has more than 256 alternatives, written out'],
  ['(?i:[^]*]*x|(?:yy)+?){100}', 'it has more than 256 alternatives, written out'],
  ['.{2,300}', 'it has more than 256 alternatives, written out'],
  ['((a?){16}){17}', 'it has more than 256 alternatives, written out'],
])('%s is refused', async (pattern, problem) => {
  const patterns = new LinearPatterns(systemClock, silentLogger);
  await patterns.ready();
  expect(patterns.problemOf(pattern.slice(0, 3000))).toBe(problem);
});

test.each([
  Array.from({ length: 150 }, (_, i) => `topic-${i}`).join('|'),
  '.{0,249}',
  String.raw`(?:[0-9]{1,3}\.){3}[0-9]{1,3}`,
  String.raw`(?P<name>x)${String.raw`(?i:[[:alpha:]?*+|(]\?)`.repeat(60)}`,
  '(?:a|b){256}',
  '(?:ab{3}c){100}x+',
])('%s is not too much', async (pattern) => {
  const patterns = new LinearPatterns(systemClock, silentLogger);
  await patterns.ready();
  expect(patterns.problemOf(pattern)).toBeNull();
});

test('what takes others for ever takes no time', async () => {
  const patterns = new LinearPatterns(systemClock, silentLogger);
  const name = 'a'.repeat(248);
  const matched = await patterns.match(['(a+)+b', '(a|a)*b', '(.*)*(.*)*(.*)*x'], [name]);
  expect([...matched.values()].map(({ size }) => size)).toEqual([0, 0, 0]);
});

/** Goes through the names with all of the expressions; how many turns of the event loop that takes together. */
async function turnsFor(jobs: readonly { expressions: string[]; names: string[] }[], msPerPiece = 0): Promise<number> {
  let nowMs = 0;
  const timers: (() => void)[] = [];
  const setTimer = (_delayMs: number, callback: () => void) => {
    timers.push(callback);
    return { cancel: () => {} };
  };
  const patterns = new LinearPatterns(
    { ...systemClock, setTimer, monotonicMs: () => (nowMs += msPerPiece) },
    silentLogger,
  );
  await patterns.ready();
  const found: Set<string>[] = [];
  let left = jobs.length;
  for (const { expressions, names } of jobs) {
    void patterns.match(expressions, names).then((matched) => {
      found.push(...matched.values());
      left--;
    });
  }
  for (let turns = 1; ; turns++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (left === 0) {
      expect(found.every((names) => names.has('topic-0'))).toBe(true);
      return turns;
    }
    expect(timers, 'what is not done waits for its turn, one at a time').toHaveLength(1);
    timers.shift()!();
  }
}

const jobOf = (expressionCount: number, nameCount: number) => ({
  expressions: Array.from({ length: expressionCount }, (_, i) => `topic-${i}-[a-z]*|topic-0`),
  names: Array.from({ length: nameCount }, (_, i) => `topic-${i}`),
});

test('a slice ends when its time is up, however little its pieces were thought to cost', async () => {
  const job = jobOf(1, 100);
  expect(await turnsFor([job])).toBe(1);
  expect(await turnsFor([job], 3)).toBeGreaterThan(40);
});

test.each([
  ['many expressions over one name', jobOf(300, 1)],
  ['one expression over many names', jobOf(1, 3000)],
])('%s are gone through in slices, between which others have their turn', async (_, job) => {
  const turns = await turnsFor([job]);
  expect(turns).toBeGreaterThan(5);
  // Those of several groups as well.
  expect(await turnsFor([job, job, job])).toBeGreaterThan(2.5 * turns);
});
