/** What the project's own tools say to who asks for what they do not know. Their programs are compiled by then. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
}

const benchmarks = ['build/bench/main.js', ...['load', 'doors', 'peers'].map((name) => `build/bench/${name}/main.js`)];
const scripts = ['bench-startup', 'crash-loop', 'kafka-streams', 'oracle', 'suites', 'compare-kafka-tools'].map(
  (name) => `scripts/${name}.mjs`,
);

describe.each([...benchmarks, ...scripts])('%s', (tool) => {
  it('answers an option that there is not with one sentence that says what there is', () => {
    const { status, stdout, stderr } = run(tool, '--nonsense', '3');
    expect(stderr).toMatch(/^There is no option --nonsense\. Usage: npm run [a-z:-]+ -- .+\n$/);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  });
});

describe('a tool', () => {
  it('says how it is called at --help', () => {
    const { status, stdout, stderr } = run('build/bench/peers/main.js', '--help');
    expect(stdout).toMatch(/^Usage: npm run bench:peers -- /);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.each([
    [['--rounds'], 'The option --rounds needs a value. Usage: '],
    [['--rounds', '--json'], 'The option --rounds needs a value. Usage: '],
    [['--json=yes'], 'The option --json takes no value. Usage: '],
    [['nonsense'], '"nonsense" belongs to no option. Usage: '],
    [['--rounds', '0'], '--rounds takes a whole number from 1, not "0".\n'],
    [['--rounds=-1'], '--rounds takes a whole number from 1, not "-1".\n'],
    [['--rounds', '1e3'], '--rounds takes a whole number from 1, not "1e3".\n'],
  ])('refuses %j', (args, sentence) => {
    const { status, stdout, stderr } = run('scripts/bench-startup.mjs', ...args);
    expect(stderr).toContain(sentence);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  });
});
