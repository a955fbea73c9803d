/**
 * The lock on a data directory: as long as a broker runs, a Unix socket of its own listens inside the directory.
 * I/O thread. Nothing has to be cleaned up by hand after a kill -9, because a dead broker's socket refuses connections.
 *
 *   1. listen on  millrace.lock.<token>.new, rename it to millrace.lock.<token>   visible only once it listens
 *   2. connect to every other millrace.lock.* and send the own token
 *        refused        its owner is dead: remove the file (tokens never come again, so it is nobody else's)
 *        "held <pid>"   somebody has the directory, or takes it before this one: give up
 *        "yielded"      that one was starting too and gives up
 *   3. nobody is left and nobody made this one yield: the directory is held
 *
 * Of two who start at once, whoever became visible later finds the other, and the one that is asked decides in its own
 * thread: a holder holds, and of two that are starting the smaller token wins. No file is ever taken over, so there is
 * no moment at which two believe that they have it. It reaches as far as the machine: a directory on a network file
 * system is not protected from other machines.
 */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { EnvironmentError, EnvironmentErrorCode, systemErrorCode } from '../base/environment-error.ts';
import type { RandomSource } from '../base/random.ts';
import { lockPrefix } from '../storage/data-directory.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { listenOnPath } from './direct-listen.ts';

const tokenBytes = 8;
const newSuffix = '.new';
const attempts = 5;
/** Someone who accepts a connection but says nothing for so long is alive, only stuck. */
const answerTimeoutMs = 2000;
const longestMessage = 64;
/** Who asks at once: a few starts at most. */
const backlog = 128;
/** What fits into a socket address on Linux (108) and macOS (104), less the final zero. */
const longestSocketPathBytes = 103;
const lockNamePattern = /^millrace\.lock\.([0-9a-f]{16})(\.new)?$/;

/** A lock that is held. */
export interface DirectoryLock {
  /** Gives the directory up. Doing so twice does nothing. */
  release(): Promise<void>;
}

/** What somebody else's socket said. */
type Answer = { readonly kind: 'dead' | 'gone' | 'yielded' } | { readonly kind: 'held'; readonly pid: string | null };

/**
 * Takes the lock of the directory at `path`, which exists. Rejects with an `EnvironmentError`: DATA_DIRECTORY_IN_USE
 * where another broker has it, DATA_DIRECTORY_UNWRITABLE where no socket can be made there.
 */
export async function lockDirectory(
  fileSystem: FileSystem,
  path: string,
  random: RandomSource,
): Promise<DirectoryLock> {
  const addresses = new SocketAddresses(fileSystem, path);
  try {
    const claim = await publishClaim(fileSystem, path, addresses, random);
    try {
      await outlastOthers(fileSystem, path, addresses, claim);
    } catch (error) {
      await claim.withdraw();
      throw error;
    }
    return { release: () => claim.withdraw() };
  } catch (error) {
    if (error instanceof EnvironmentError) throw error;
    throw new EnvironmentError(
      EnvironmentErrorCode.DATA_DIRECTORY_UNWRITABLE,
      `The data directory ${path} cannot be locked (${systemErrorCode(error) ?? String(error)}): it must be on a file system that allows Unix sockets, writable for this user.`,
      error,
    );
  } finally {
    addresses.close();
  }
}

/** A broker's own socket in the directory, and what it answers to those who ask. */
class Claim {
  readonly token: string;
  state: 'starting' | 'yielded' | 'held' = 'starting';
  readonly #server: Server;
  readonly #fileSystem: FileSystem;
  readonly #sockets = new Set<Socket>();
  #path: string | null = null;
  #closed: Promise<void> | null = null;

  constructor(fileSystem: FileSystem, token: string) {
    this.token = token;
    this.#fileSystem = fileSystem;
    this.#server = createServer((socket) => this.#answer(socket));
    // The lock is no reason to stay alive.
    this.#server.unref();
  }

  listen(address: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.once('listening', () => {
        this.#server.off('error', reject);
        resolve();
      });
      listenOnPath(this.#server, address, backlog);
    });
  }

  /** Makes the socket, which listens at `hiddenPath`, visible at `path`. */
  publish(hiddenPath: string, path: string): void {
    this.#fileSystem.rename(hiddenPath, path);
    this.#path = path;
  }

  withdraw(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      if (this.#path !== null) removeIfThere(this.#fileSystem, this.#path);
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
    return this.#closed;
  }

  #answer(socket: Socket): void {
    this.#sockets.add(socket);
    let asked = '';
    socket.unref();
    socket.setEncoding('latin1');
    socket.on('close', () => this.#sockets.delete(socket));
    // Who asks and goes away has its answer or does not want it.
    socket.on('error', () => socket.destroy());
    socket.on('data', (text: string) => {
      asked += text;
      const lineEnd = asked.indexOf('\n');
      if (lineEnd < 0) {
        if (asked.length > longestMessage) socket.destroy();
        return;
      }
      if (this.state === 'starting' && asked.slice(0, lineEnd) < this.token) this.state = 'yielded';
      socket.end(this.state === 'yielded' ? 'yielded\n' : `held ${process.pid}\n`);
    });
  }
}

/** Puts a socket of its own, which listens, into the directory. */
async function publishClaim(
  fileSystem: FileSystem,
  path: string,
  addresses: SocketAddresses,
  random: RandomSource,
): Promise<Claim> {
  for (let attempt = 1; ; attempt++) {
    const bytes = new Uint8Array(tokenBytes);
    random.fill(bytes);
    const token = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    const name = lockPrefix + token;
    const claim = new Claim(fileSystem, token);
    try {
      await claim.listen(addresses.of(name + newSuffix));
      claim.publish(`${path}/${name}${newSuffix}`, `${path}/${name}`);
      return claim;
    } catch (error) {
      await claim.withdraw();
      // Another start found the socket before it listened, and removed it as a dead one's.
      if (systemErrorCode(error) !== 'ENOENT' || attempt === attempts) throw error;
    }
  }
}

/** Asks everybody else in the directory; returns once `claim` is the one that holds it. */
async function outlastOthers(
  fileSystem: FileSystem,
  path: string,
  addresses: SocketAddresses,
  claim: Claim,
): Promise<void> {
  for (const name of fileSystem.list(path)) {
    const match = lockNamePattern.exec(name);
    if (match === null || match[1] === claim.token) continue;
    const answer = await ask(addresses.of(name), claim.token);
    if (answer.kind === 'held') throw inUse(path, answer.pid);
    if (answer.kind === 'dead') removeIfThere(fileSystem, `${path}/${name}`);
  }
  if (claim.state === 'yielded') throw inUse(path, null);
  claim.state = 'held';
}

/** Asks the socket at `address` who has the directory. */
function ask(address: string, token: string): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect(address);
    let said = '';
    let answer: Answer | null = null;
    socket.setEncoding('latin1');
    socket.setTimeout(answerTimeoutMs, () => {
      answer ??= { kind: 'held', pid: null };
      socket.destroy();
    });
    socket.on('connect', () => socket.write(`${token}\n`));
    socket.on('data', (text: string) => {
      said += text;
      if (said.length > longestMessage) socket.destroy();
    });
    socket.on('error', (error) => {
      const code = systemErrorCode(error);
      if (code === 'ECONNREFUSED') answer ??= { kind: 'dead' };
      // It was killed, or gave up, while it was asked.
      else if (code === 'ENOENT' || code === 'ECONNRESET' || code === 'EPIPE') answer ??= { kind: 'gone' };
      // Whatever else keeps it from being asked, it has not been shown to be dead.
      else answer ??= { kind: 'held', pid: null };
    });
    socket.on('close', () => {
      const held = /^held (\d{1,10})\n$/.exec(said);
      if (said === 'yielded\n') resolve({ kind: 'yielded' });
      else if (held !== null) resolve({ kind: 'held', pid: held[1]! });
      else if (said !== '') resolve({ kind: 'held', pid: null });
      else resolve(answer ?? { kind: 'gone' });
    });
  });
}

/**
 * Addresses of sockets in a directory. A socket's address holds about a hundred bytes, and directories may be deeper:
 * on Linux a long one is reached through a descriptor of it.
 */
class SocketAddresses {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  #descriptor: number | null = null;

  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem;
    this.#path = path;
  }

  /** The address of the socket `name`; valid until `close`. */
  of(name: string): string {
    const whole = `${this.#path}/${name}`;
    if (new TextEncoder().encode(whole).length <= longestSocketPathBytes) return whole;
    if (process.platform !== 'linux') {
      throw new EnvironmentError(
        EnvironmentErrorCode.DATA_DIRECTORY_UNWRITABLE,
        `The path of the data directory ${this.#path} is too long for the lock in it: use one of at most 60 bytes.`,
      );
    }
    this.#descriptor ??= this.#fileSystem.open(this.#path, 'read');
    return `/proc/self/fd/${this.#descriptor}/${name}`;
  }

  close(): void {
    if (this.#descriptor !== null) this.#fileSystem.close(this.#descriptor);
    this.#descriptor = null;
  }
}

function removeIfThere(fileSystem: FileSystem, path: string): void {
  try {
    fileSystem.remove(path);
  } catch (error) {
    // Two starts may clean up at once.
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

function inUse(path: string, pid: string | null): EnvironmentError {
  const who = pid === null ? 'another Millrace' : `another Millrace (process ${pid})`;
  return new EnvironmentError(
    EnvironmentErrorCode.DATA_DIRECTORY_IN_USE,
    `The data directory ${path} is in use by ${who}: stop that one or use another directory.`,
  );
}
