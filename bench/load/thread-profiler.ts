/**
 * CPU profiles of a Node process that runs, of each of its threads, from when it is told to begin until it is told to end, so
 * that start and warm-up are not in them. It speaks with the process's inspector. Main thread.
 *
 *   process --inspect ◄── Profiler.start, stop ──── its first thread
 *                     ◄── NodeWorker.sendMessageToWorker ──── the same for each worker that it has by then
 *
 * The protocol is V8's (https://chromedevtools.github.io/devtools-protocol/v8/Profiler/), its domain NodeWorker is Node's
 * (https://github.com/nodejs/node/blob/main/src/inspector/node_protocol.pdl).
 */

import { once } from 'node:events';
import { WebSocket } from 'ws';

/** Of samples, in microseconds. A load of seconds has some thousand then. */
const intervalMicroseconds = 500;
const largestMessageBytes = 2 ** 29;

/** As Node writes it with `--cpu-prof`; what is in it matters to who reads it only. */
export interface ThreadProfile {
  /** 0 is the process's first. */
  readonly thread: number;
  readonly profile: object;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly sessionId: string; readonly message: string; readonly workerInfo: { workerId: string } };
  readonly result?: { readonly profile?: object };
  readonly error?: { readonly message: string };
}

interface Waiting {
  readonly resolve: (result: NonNullable<Message['result']>) => void;
  readonly reject: (error: Error) => void;
}

/** One thread, with its questions that are not answered yet. */
class Session {
  readonly thread: number;
  readonly #send: (text: string) => void;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  constructor(thread: number, send: (text: string) => void) {
    this.thread = thread;
    this.#send = send;
  }

  /** Rejects where the thread refuses, or has ended. */
  ask(method: string, params: object = {}): Promise<NonNullable<Message['result']>> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#asked, { resolve, reject });
      this.#send(JSON.stringify({ id: this.#asked, method, params }));
    });
  }

  take({ id, result, error }: Message): void {
    const waiting = this.#waiting.get(id!);
    this.#waiting.delete(id!);
    if (error === undefined) waiting?.resolve(result ?? {});
    else waiting?.reject(new Error(`The inspector of thread ${this.thread} says: ${error.message}`));
  }

  end(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(`Thread ${this.thread} has ended.`));
    this.#waiting.clear();
  }
}

export class ThreadProfiler {
  readonly #socket: WebSocket;
  readonly #first: Session;
  /** By the inspector's names for them. */
  readonly #workers = new Map<string, Session>();
  /** Those that were told to begin. */
  #profiled: readonly Session[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#first = new Session(0, (text) => socket.send(text));
    socket.on('message', (data) => this.#take(JSON.parse(String(data)) as Message));
    socket.on('close', () => {
      for (const session of [this.#first, ...this.#workers.values()]) session.end();
    });
  }

  /** `url` is the inspector's, as the process prints it. */
  static async attach(url: string): Promise<ThreadProfiler> {
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: largestMessageBytes });
    await once(socket, 'open');
    const profiler = new ThreadProfiler(socket);
    await profiler.#first.ask('NodeWorker.enable', { waitForDebuggerOnStart: false });
    return profiler;
  }

  /** Begins for all threads that there are. */
  async begin(): Promise<void> {
    this.#profiled = [this.#first, ...this.#workers.values()];
    await Promise.all(
      this.#profiled.map(async (session) => {
        await session.ask('Profiler.enable');
        await session.ask('Profiler.setSamplingInterval', { interval: intervalMicroseconds });
        await session.ask('Profiler.start');
      }),
    );
  }

  /** What the threads did since `begin`, but those that have ended. */
  async end(): Promise<ThreadProfile[]> {
    const present = new Set([this.#first, ...this.#workers.values()]);
    return Promise.all(
      this.#profiled
        .filter((session) => present.has(session))
        .map(async (session) => ({ thread: session.thread, profile: (await session.ask('Profiler.stop')).profile! })),
    );
  }

  close(): void {
    this.#socket.terminate();
  }

  #take(message: Message): void {
    const { method, params } = message;
    if (message.id !== undefined) return this.#first.take(message);
    switch (method) {
      case 'NodeWorker.attachedToWorker': {
        const { sessionId, workerInfo } = params!;
        const worker = new Session(Number(workerInfo.workerId), (text) => {
          const sent = this.#first.ask('NodeWorker.sendMessageToWorker', { sessionId, message: text });
          // Who asked hears it from the worker's own session.
          sent.catch(() => worker.end());
        });
        this.#workers.set(sessionId, worker);
        break;
      }
      case 'NodeWorker.receivedMessageFromWorker':
        this.#workers.get(params!.sessionId)?.take(JSON.parse(params!.message) as Message);
        break;
      case 'NodeWorker.detachedFromWorker':
        this.#workers.get(params!.sessionId)?.end();
        this.#workers.delete(params!.sessionId);
        break;
    }
  }
}
