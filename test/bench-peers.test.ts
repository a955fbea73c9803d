/**
 * The benchmark beside other brokers in its smallest size: against Apache Kafka where its jars were fetched before, and
 * without any of them. Nothing is timed, and nothing is fetched; each case throws by itself where a log does not hold what
 * was acknowledged.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { KeptResult } from '../bench/peers/peer-report.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const main = 'build/bench/peers/main.js';
const hasKafka =
  spawnSync('java', ['-version']).status === 0 && existsSync(`${root}.bench-cache/apache-kafka-4.4.0/.complete`);

function node(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const env = { ...process.env, ...environment };
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env });
}

it.runIf(hasKafka)(
  'loads Millrace and Apache Kafka in turn, and keeps nothing',
  () => {
    const { status, stdout, stderr } = node([main, '--quick', '--json', 'pipelined', 'tail-1k', 'durable-12p']);
    expect(status, stderr).toBe(0);
    const results = JSON.parse(stdout) as KeptResult[];
    expect(results.map(({ name }) => name)).toEqual(['pipelined', 'tail-1k', 'durable-12p']);
    for (const { name, sides, rounds, verdicts } of results) {
      expect(sides.peer).toContain('Apache Kafka');
      expect(Object.keys(rounds.millrace[0]!), name).not.toEqual([]);
      expect(Object.keys(rounds.peer[0]!), name).not.toEqual([]);
      // One small round shows nothing, whatever came of it.
      for (const { state } of verdicts) expect(state, name).not.toBe('met');
    }
  },
  120_000,
);

it('says what is missing where no rival can be had, and ends well', () => {
  const { status, stdout, stderr } = node([main, '--quick', 'pipelined'], { PATH: '/nowhere' });
  expect(status, stderr).toBe(0);
  expect(stderr).toContain('Apache Kafka is left out (pipelined)');
  expect(stdout).not.toContain('ratio');
});

it('names the cases where there is none of that name', () => {
  const { status, stderr } = node([main, 'nonsense']);
  expect(status).toBe(1);
  expect(stderr).toContain('No case begins with nonsense');
});
