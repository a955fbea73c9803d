/** Profiles of a load and of nothing else: a process that does one thing before, one meanwhile, and one after. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LoadProfile } from '../../bench/load/load-profile.ts';
import { sharesIn } from '../../bench/load/processor-shares.ts';
import { profileSummary, sharesText } from '../../bench/load/profile-summary.ts';

/** Each thread spins in the function that it is told, and answers; the worker blocks while it has nothing to do. */
const program = `
const { Worker, isMainThread, workerData, parentPort } = require('node:worker_threads');
const spin = () => { for (const endMs = Date.now() + 60; Date.now() < endMs;); };
const works = { before() { spin(); spin(); }, meanwhile() { spin(); spin(); }, after() { spin(); spin(); } };
const names = Object.keys(works);
if (isMainThread) {
  const cells = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(__filename, { workerData: cells });
  process.stdin.setEncoding('utf8').on('data', (line) => {
    const name = line.trim();
    works[name]();
    worker.once('message', () => console.log('did ' + name));
    Atomics.store(cells, 0, names.indexOf(name) + 1);
    Atomics.notify(cells, 0);
  });
  worker.once('online', () => console.log('ready'));
} else {
  for (let done = 0; done < names.length; done++) {
    Atomics.wait(workerData, 0, done);
    works[names[Atomics.load(workerData, 0) - 1]]();
    parentPort.postMessage('done');
  }
}
`;

const folder = mkdtempSync(join(tmpdir(), 'millrace-profile-'));
const profiles = join(folder, 'profiles');
let namesOf: Map<string, ReadonlySet<string>>;

beforeAll(async () => {
  writeFileSync(join(folder, 'program.cjs'), program);
  const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', join(folder, 'program.cjs')]);
  let printed = '';
  let changed = (): void => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      changed();
    });
  }
  const until = async (wanted: RegExp): Promise<string> => {
    for (;;) {
      const match = wanted.exec(printed);
      if (match !== null) return match[1]!;
      await new Promise<void>((resolve) => (changed = resolve));
    }
  };
  const work = async (name: string): Promise<void> => {
    child.stdin.write(`${name}\n`);
    await until(new RegExp(`(did ${name})`));
  };
  const inspector = await until(/^Debugger listening on (ws:\S+)$/m);
  await until(/(ready)/);
  const profile = await LoadProfile.attach(child.pid!, inspector, profiles);
  await work('before');
  // Two loads beside each other, of which the first to end ends nothing.
  profile.begin();
  profile.begin();
  await profile.end();
  await work('meanwhile');
  await profile.end();
  await work('after');
  profile.close();
  child.kill();
  await once(child, 'close');
  const files = readdirSync(profiles).filter((file) => file.endsWith('.cpuprofile'));
  namesOf = new Map(
    files.map((file) => {
      const { nodes } = JSON.parse(readFileSync(join(profiles, file), 'utf8')) as {
        nodes: { callFrame: { functionName: string } }[];
      };
      return [file.split('.')[4]!, new Set(nodes.map(({ callFrame }) => callFrame.functionName))];
    }),
  );
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a profile of a load', () => {
  it('has both threads, and what they did meanwhile', () => {
    expect([...namesOf.keys()]).toEqual(['0', '1']);
    for (const names of namesOf.values()) expect(names).toContain('meanwhile');
  });

  it('has nothing of what they did before and after', () => {
    for (const names of namesOf.values()) {
      expect(names).not.toContain('before');
      expect(names).not.toContain('after');
    }
  });

  it('is summed up by functions, and by where they are from', () => {
    const text = profileSummary(profiles);
    expect(text).toMatch(/process \d+, thread 0\n +[\d.]+ % {2}busy, and of that\n/);
    expect(text).toMatch(/[\d.]+ % {2}JavaScript of the program\n/);
    // V8 may have put the one into the other.
    expect(text).toMatch(/[\d.]+ % {2}(?:spin|meanwhile) {2}program\.cjs:\d+(?:\n|$)/);
  });

  it('says that there is none where no load was measured', () => {
    expect(profileSummary(join(folder, 'nothing'))).toBe('No load was measured, so that there is no profile.');
  });
});

describe('what perf tells', () => {
  const script = [
    '   700  ffffffff81a6f0aa ([kernel.kallsyms])',
    '   700           b3c1d0 (/usr/bin/node)',
    '   700     7f11c2a0d3f1 (//anon)',
    '   700     7f11c2a0d3f1 (/tmp/perf-700.map)',
    '   700     7f11d2a0d3f1 (/usr/lib/x86_64-linux-gnu/libc.so.6)',
    '   707  ffffffffc0a6f0aa ([ext4])',
    '',
  ].join('\n');

  it('is counted by threads, and by whose code it was', () => {
    expect(sharesIn(script)).toEqual([
      { thread: 700, samples: { kernel: 1, 'Node and V8': 2, 'JavaScript and WebAssembly': 2 } },
      { thread: 707, samples: { kernel: 1, 'Node and V8': 0, 'JavaScript and WebAssembly': 0 } },
    ]);
  });

  it('is told for the first thread and its busiest others', () => {
    expect(sharesText('700', sharesIn(script)).split('\n')).toEqual([
      'process 700, by samples of the processor that perf took',
      '  83.3 %  its first thread: kernel 20.0 %, Node and V8 40.0 %, JavaScript and WebAssembly 40.0 %',
      '  16.7 %  its busiest other: kernel 100.0 %, Node and V8 0.0 %, JavaScript and WebAssembly 0.0 %',
    ]);
  });
});
