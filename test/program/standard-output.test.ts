/** What the program prints, to real pipes whose readers are slow or go, and whether it waits for them. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const source = fileURLToPath(new URL('../../src/program/standard-output.ts', import.meta.url));

/** Several times what a pipe holds, of which no part is like another. */
const text = Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`).join('');

/**
 * Prints the text once it is told to, says on standard error how far that was once the call returned, and ends as the program
 * does. A pipe that does not wait is made so as Node makes it.
 */
const printer = `
  import { print } from './standard-output.mjs';
  const text = Array.from({ length: 50_000 }, (_, i) => \`line \${i}\\n\`).join('');
  if (process.argv[2] === 'that does not wait') process.stdout;
  process.stdin.once('data', async () => {
    let isDone = false;
    const printing = print(text).then(() => (isDone = true));
    await null;
    process.stderr.write(isDone ? 'done ' : 'waits ');
    await printing;
    process.exit(0);
  });
  process.stderr.write('ready ');
`;

let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-output-'));
  const bundle = await rolldown({ input: source, platform: 'node' });
  await bundle.write({ file: join(directory, 'standard-output.mjs'), format: 'esm' });
  await bundle.close();
  writeFileSync(join(directory, 'printer.mjs'), printer);
});
afterAll(() => rmSync(directory, { recursive: true }));

let pipeCount = 0;

/** A printer and the reading end of the pipe that it prints to. */
class Printing {
  readonly child: ChildProcess;
  readonly reader: Socket;
  stderr = '';
  readonly #ended: Promise<number | null>;
  #changed: () => void = () => {};

  constructor(kind: string) {
    const path = join(directory, `pipe-${pipeCount++}`);
    execFileSync('mkfifo', [path]);
    const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writeEnd = openSync(path, constants.O_WRONLY);
    this.child = spawn(process.execPath, [join(directory, 'printer.mjs'), kind], { stdio: ['pipe', writeEnd, 'pipe'] });
    closeSync(writeEnd);
    this.reader = new Socket({ fd: readEnd, readable: true, writable: false });
    this.child.stderr!.setEncoding('utf8').on('data', (told: string) => {
      this.stderr += told;
      this.#changed();
    });
    this.#ended = once(this.child, 'close').then(([code]) => {
      this.#changed();
      return code as number | null;
    });
  }

  async told(word: string): Promise<void> {
    while (!this.stderr.includes(word) && this.child.exitCode === null) {
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
    expect(this.stderr).toContain(word);
  }

  begin(): void {
    this.child.stdin!.end('begin');
  }

  /** How it ended: nothing but what it was asked to say stands on standard error. */
  async end(): Promise<{ readonly code: number | null; readonly stderr: string }> {
    const code = await this.#ended;
    this.reader.destroy();
    return { code, stderr: this.stderr.trim() };
  }

  async all(): Promise<string> {
    let read = '';
    this.reader.setEncoding('utf8');
    for await (const piece of this.reader) read += piece as string;
    return read;
  }
}

describe.each(['that waits', 'that does not wait'])('what is printed to a pipe %s', (kind) => {
  // A write to a pipe that waits returns once all is written, whoever has to read before.
  const waits = kind === 'that waits' ? 'ready done' : 'ready waits';

  it('comes whole where its reader is slow', async () => {
    const printing = new Printing(kind);
    await printing.told('ready');
    printing.begin();
    // Nothing is read of it before its call has returned with the pipe full.
    if (kind === 'that does not wait') await printing.told('waits');
    expect(await printing.all()).toBe(text);
    expect(await printing.end()).toEqual({ code: 0, stderr: waits });
  });

  it('is nobody’s failure where its reader has gone before', async () => {
    const printing = new Printing(kind);
    await printing.told('ready');
    printing.reader.destroy();
    await once(printing.reader, 'close');
    printing.begin();
    expect(await printing.end()).toEqual({ code: 0, stderr: 'ready done' });
  });

  it('is nobody’s failure where its reader goes in the middle', async () => {
    const printing = new Printing(kind);
    await printing.told('ready');
    printing.begin();
    if (kind === 'that does not wait') await printing.told('waits');
    const [piece] = (await once(printing.reader, 'data')) as [Buffer];
    printing.reader.destroy();
    expect(text.startsWith(piece.toString())).toBe(true);
    expect(piece.length).toBeLessThan(text.length);
    expect(await printing.end()).toEqual({ code: 0, stderr: waits });
  });
});
