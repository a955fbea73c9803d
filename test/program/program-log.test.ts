/** The program's log, in processes of their own whose standard error is looked at, or not. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const module = fileURLToPath(new URL('../../dist/program/program-log.js', import.meta.url));

function run(script: string): ChildProcess {
  const code = `import { ProgramLog } from '${module}';\n${script}`;
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function output(script: string): Promise<string> {
  const child = run(script);
  let said = '';
  child.stderr!.on('data', (text: Buffer) => (said += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code).toBe(0);
  return said;
}

const linesOf = (said: string): unknown[] =>
  said
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

describe('ProgramLog', () => {
  it('writes lines as JSON, in order, with the times at which they came', async () => {
    const said = await output(`
      const log = new ProgramLog('info', () => false);
      const before = Date.now();
      log.debug({}, 'not this');
      log.info({ count: 1 }, 'first');
      log.warn({}, 'second');
      await new Promise((resolve) => setTimeout(resolve, 250));
      log.error({ error: new Error('broken', { cause: new Error('deeper') }) }, 'third');
      await log.close();
      log.error({}, 'too late');
    `);
    expect(linesOf(said)).toEqual([
      { level: 'info', time: expect.any(String), count: 1, msg: 'first' },
      { level: 'warn', time: expect.any(String), msg: 'second' },
      {
        level: 'error',
        time: expect.any(String),
        error: expect.objectContaining({ message: 'broken', cause: expect.objectContaining({ message: 'deeper' }) }),
        msg: 'third',
      },
    ]);
  });

  it('writes for people where they read', async () => {
    const said = await output(`
      const log = new ProgramLog('info', () => true);
      log.warn({ topic: 'orders' }, 'Something happened.');
      await log.close();
    `);
    expect(said).toMatch(/WARN.*Something happened\..*\n.*topic.*orders/);
    expect(said).not.toContain('{');
  });

  it('is silent where it should be, and loads nothing for it', async () => {
    const said = await output(`
      const log = new ProgramLog('silent', () => false);
      log.error({}, 'nobody hears');
      await log.close();
    `);
    expect(said).toBe('');
  });

  it('gives up on a reader that does not read, and holds nobody up', async () => {
    const child = run(`
      const log = new ProgramLog('info', () => false);
      for (let i = 0; i < 10_000; i++) log.info({ text: 'x'.repeat(1000) }, 'A long line.');
      console.log(await log.close());
      process.kill(process.pid, 'SIGKILL');
    `);
    // Standard error is not read.
    let said = '';
    child.stdout!.on('data', (text: Buffer) => (said += text.toString()));
    const [[, signal]] = (await Promise.all([once(child, 'exit'), once(child.stdout!, 'end')])) as [
      [number | null, NodeJS.Signals | null],
      unknown,
    ];
    child.stderr!.destroy();
    expect(said).toBe('false\n');
    expect(signal).toBe('SIGKILL');
  });
});
