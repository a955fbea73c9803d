/** The lock on a data directory, with real sockets and real processes that are killed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnvironmentError, EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { SeededRandom, systemRandom } from '../../src/base/random.ts';
import { lockDirectory, type DirectoryLock } from '../../src/server/directory-lock.ts';
import { lockPrefix } from '../../src/storage/data-directory.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));

/** A process that takes the lock when it is told to, says how that went, and keeps it. */
const contender = `
  import { createInterface } from 'node:readline';
  import { systemRandom } from '${dist}/base/random.js';
  import { lockDirectory } from '${dist}/server/directory-lock.js';
  import { nodeFileSystem } from '${dist}/storage/node-file-system.js';
  console.log('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      await lockDirectory(nodeFileSystem, line, systemRandom);
      console.log('held');
    } catch (error) {
      console.log(error.code);
    }
  }
`;

class Contender {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.child = spawn(process.execPath, ['--input-type=module', '-e', contender], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  async said(): Promise<string> {
    return ((await this.#lines.next()) as IteratorResult<string, undefined>).value ?? 'nothing';
  }

  lock(path: string): void {
    this.child.stdin!.write(`${path}\n`);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

let directory: string;
const contenders: Contender[] = [];
const locks: DirectoryLock[] = [];
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-lock-'));
});

afterEach(async () => {
  for (const lock of locks.splice(0)) await lock.release();
  for (const contender of contenders.splice(0)) await contender.kill();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

async function lock(path = directory, random = systemRandom): Promise<DirectoryLock> {
  const held = await lockDirectory(nodeFileSystem, path, random);
  locks.push(held);
  return held;
}

async function refusal(path = directory): Promise<EnvironmentError> {
  const error = await lock(path).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EnvironmentError);
  return error as EnvironmentError;
}

async function contend(): Promise<Contender> {
  const contender = new Contender();
  contenders.push(contender);
  expect(await contender.said()).toBe('ready');
  return contender;
}

/** A socket in the directory as another broker's, that does with those who ask what `answer` does. */
async function stranger(answer: (socket: Socket) => void, name = `${lockPrefix}00000000000000aa`): Promise<void> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    answer(socket);
  });
  servers.push(server);
  server.listen(join(directory, name));
  await once(server, 'listening');
}

const locksIn = (path: string): string[] => readdirSync(path).filter((name) => name.startsWith(lockPrefix));

describe('lockDirectory', () => {
  it('is held by one, refused to a second with a sentence, and free again once it is released', async () => {
    const first = await lock();
    expect(locksIn(directory)).toHaveLength(1);
    const error = await refusal();
    expect(error.code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_IN_USE);
    expect(error.message).toBe(
      `The data directory ${directory} is in use by another Millrace (process ${process.pid}): stop that one or use another directory.`,
    );
    expect(locksIn(directory)).toHaveLength(1);
    await first.release();
    await first.release();
    expect(readdirSync(directory)).toEqual([]);
    await lock();
  });

  it('names the process that holds it', async () => {
    const holder = await contend();
    holder.lock(directory);
    expect(await holder.said()).toBe('held');
    expect((await refusal()).message).toContain(`(process ${holder.child.pid})`);
  });

  it('survives a kill -9 of its holder without hands', async () => {
    for (let round = 0; round < 3; round++) {
      const holder = await contend();
      holder.lock(directory);
      expect(await holder.said()).toBe('held');
      await holder.kill();
      // The dead one's socket is still there.
      expect(locksIn(directory)).toHaveLength(1);
    }
    await lock();
    expect(locksIn(directory)).toHaveLength(1);
  });

  it('is taken by exactly one of several processes that start at once, over and over', async () => {
    const racers = await Promise.all(Array.from({ length: 4 }, contend));
    for (let round = 0; round < 25; round++) {
      const path = join(directory, String(round));
      mkdirSync(path);
      for (const racer of racers) racer.lock(path);
      const outcomes = await Promise.all(racers.map((racer) => racer.said()));
      expect(outcomes.toSorted()).toEqual([
        ...Array.from({ length: 3 }, () => EnvironmentErrorCode.DATA_DIRECTORY_IN_USE),
        'held',
      ]);
      expect(locksIn(path)).toHaveLength(1);
    }
  });

  it('is taken by exactly one of several that start at once after a crash', async () => {
    const holder = await contend();
    holder.lock(directory);
    expect(await holder.said()).toBe('held');
    const racers = await Promise.all(Array.from({ length: 3 }, contend));
    await holder.kill();
    for (const racer of racers) racer.lock(directory);
    const outcomes = await Promise.all(racers.map((racer) => racer.said()));
    expect(outcomes.filter((outcome) => outcome === 'held')).toHaveLength(1);
  });

  it('is taken by exactly one of several within a process', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const path = join(directory, String(seed));
      mkdirSync(path);
      const random = new SeededRandom(seed);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 5 }, () => lockDirectory(nodeFileSystem, path, random)),
      );
      const held = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(held).toHaveLength(1);
      expect(locksIn(path)).toHaveLength(1);
      await held[0]!.value.release();
      expect(readdirSync(path)).toEqual([]);
    }
  });

  it('takes one who accepts but says nothing for alive', async () => {
    await stranger(() => {});
    const error = await refusal();
    expect(error.code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_IN_USE);
    expect(error.message).toContain('in use by another Millrace:');
    expect(locksIn(directory)).toEqual([`${lockPrefix}00000000000000aa`]);
  });

  it('takes one who talks nonsense for alive, however much of it', async () => {
    await stranger((socket) => socket.end('no\n'));
    expect((await refusal()).code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_IN_USE);
    await stranger((socket) => void socket.write('x'.repeat(100_000)), `${lockPrefix}00000000000000ab`);
    expect((await refusal()).code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_IN_USE);
  });

  it('passes one who yields or goes away while it is asked', async () => {
    await stranger((socket) => socket.end('yielded\n'));
    await stranger((socket) => socket.destroy(), `${lockPrefix}00000000000000ab`);
    await lock();
  });

  it('does not answer those who ask without end', async () => {
    const held = await lock();
    const socket = connect(join(directory, locksIn(directory)[0]!));
    sockets.push(socket);
    socket.on('error', () => {});
    socket.write('x'.repeat(10_000));
    await once(socket, 'close');
    expect((await refusal()).code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_IN_USE);
    await held.release();
  });

  it('leaves files that are no locks alone', async () => {
    writeFileSync(join(directory, 'millrace.lock.txt'), 'mine');
    await lock();
    expect(existsSync(join(directory, 'millrace.lock.txt'))).toBe(true);
  });

  it('cleans up a socket that was killed before it became visible', async () => {
    const name = `${lockPrefix}00000000000000aa.new`;
    const holder = await contend();
    holder.lock(directory);
    expect(await holder.said()).toBe('held');
    await holder.kill();
    nodeFileSystem.rename(join(directory, locksIn(directory)[0]!), join(directory, name));
    await lock();
    expect(existsSync(join(directory, name))).toBe(false);
  });

  it.runIf(process.platform === 'linux')('locks a directory whose path no socket address can hold', async () => {
    const deep = join(directory, 'd'.repeat(120), 'e'.repeat(120));
    mkdirSync(deep, { recursive: true });
    const held = await lock(deep);
    expect(locksIn(deep)).toHaveLength(1);
    expect((await refusal(deep)).code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_IN_USE);
    const holder = await contend();
    holder.lock(deep);
    expect(await holder.said()).toBe(EnvironmentErrorCode.DATA_DIRECTORY_IN_USE);
    await held.release();
    holder.lock(deep);
    expect(await holder.said()).toBe('held');
    await holder.kill();
    await lock(deep);
  });

  it.runIf(process.platform === 'linux')('says so where no socket can be made', async () => {
    const error = await refusal('/proc');
    expect(error.code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_UNWRITABLE);
    expect(error.message).toContain('The data directory /proc cannot be locked');
  });

  it('says so where there is no directory', async () => {
    const error = await refusal(join(directory, 'missing'));
    expect(error.code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_UNWRITABLE);
    expect(error.message).toContain(join(directory, 'missing'));
  });

  it('does not keep a process alive', async () => {
    const script = `
      import { systemRandom } from '${dist}/base/random.js';
      import { lockDirectory } from '${dist}/server/directory-lock.js';
      import { nodeFileSystem } from '${dist}/storage/node-file-system.js';
      await lockDirectory(nodeFileSystem, process.argv[1], systemRandom);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], { stdio: 'inherit' });
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
  });
});
