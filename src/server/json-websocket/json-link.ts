/**
 * One WebSocket that speaks `millrace.v1`: frames in, frames out. I/O thread.
 *
 *   text message ─► PublishScanner ─► publish: Publishing
 *                                 └─► any other: JSON.parse, checked against its schema ─► Subscription …
 *
 * What is wrong with one frame is answered with an error frame, and the connection goes on. It ends where a client does
 * not read what it is told (without a word), or publishes on though the log is behind (1013, "try again later").
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import type { Logger } from '../../base/logger.ts';
import type { Caller } from '../../gateway/caller.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { problemOfIdentity } from '../../gateway/named-producers.ts';
import type { PeerSocket, SocketLink } from '../http-route.ts';
import { JsonKind } from '../json/json-core.ts';
import { clientFrames, type BrokerFrame, type ClientFrame, type ClientFrames, type FrameId } from './frames.ts';
import { field, PublishScanner, Scanned } from './publish-scanner.ts';
import { Publishing, type PublishingOwner } from './publishing.ts';
import type { FrameFormats } from './record-frames.ts';
import { problemOf } from './schema.ts';
import { Subscription, type SubscriptionOwner } from './subscription.ts';

/** What all connections share. */
export interface JsonServices {
  readonly gateway: Gateway;
  readonly formats: FrameFormats;
  readonly logger: Logger;
  readonly nowMs: () => number;
}

const goingAway = 1001;
const tryAgainLater = 1013;
/** A client that has not read so much of what it was answered is ended, in bytes; records are held back earlier. */
const unreadAnswersBytes = 1024 * 1024;
/** From here on acknowledgements that are cumulative wait for the next, in bytes. */
const behindFromBytes = 64 * 1024;
const mostSubscriptions = 32;

/** Reads one frame at a time, for all connections; it is made with the first of them, because a start does without. */
let sharedScanner: PublishScanner | null = null;
const decoder = new TextDecoder();

type Frames = { readonly [T in keyof ClientFrames]: (frame: ClientFrames[T]) => void };

export class JsonLink implements SocketLink, PublishingOwner, SubscriptionOwner {
  place = -1;
  /** uWebSockets.js's pings tell whether somebody is there; who waits for records may stay. */
  readonly idleSinceMs = Infinity;
  readonly caller: Caller;
  readonly #socket: PeerSocket<string>;
  readonly #services: JsonServices;
  readonly #scanner: PublishScanner;
  #publishing: Publishing | null = null;
  #subscriptions: Map<string, Subscription> | null = null;
  #unreadBytes = 0;
  #open = true;
  #finishing = false;

  constructor(socket: PeerSocket<string>, caller: Caller, services: JsonServices) {
    this.#socket = socket;
    this.caller = caller;
    this.#services = services;
    this.#scanner = sharedScanner ??= new PublishScanner();
  }

  message(message: ArrayBuffer, isBinary: boolean): void {
    if (this.#finishing) return;
    if (isBinary) return this.#refuse(undefined, 'A frame is a text message, not a binary one.');
    const bytes = new Uint8Array(message);
    const scanner = this.#scanner;
    switch (scanner.scan(bytes)) {
      case Scanned.PUBLISH:
        return this.#publish(scanner);
      case Scanned.INVALID:
        return this.#refuse(idOf(scanner), scanner.problem);
      case Scanned.OTHER:
        return this.#take(JSON.parse(decoder.decode(bytes)) as { readonly type?: unknown; readonly id?: unknown });
    }
  }

  drained(): void {
    if (!this.#open || this.#socket.getBufferedAmount() > 0) return;
    this.#unreadBytes = 0;
    this.#publishing?.tellOn();
    if (this.#subscriptions !== null) for (const each of this.#subscriptions.values()) each.drained();
  }

  finish(): void {
    this.#finishing = true;
    this.#closeSubscriptions();
    const end = (): void => this.#end(goingAway, 'the broker stops');
    if (this.#publishing === null) end();
    else this.#publishing.whenSettled(end);
  }

  destroy(): void {
    if (this.#open) this.#socket.close();
  }

  closed(): void {
    this.#open = false;
    this.#closeSubscriptions();
    this.#publishing?.close();
  }

  // What publishing and subscriptions call.

  get isBehind(): boolean {
    return this.#open && this.#socket.getBufferedAmount() > behindFromBytes;
  }

  sendAll(frames: readonly string[]): void {
    if (!this.#open) return;
    if (frames.length === 1) return this.#answer(frames[0]!);
    this.#socket.cork(() => {
      for (const frame of frames) this.#answer(frame);
    });
  }

  send(frame: BrokerFrame): void {
    this.#answer(JSON.stringify(frame));
  }

  sendRecords(frame: Uint8Array): boolean {
    return this.#open && this.#socket.send(frame, false, false) === 1;
  }

  #answer(text: string): void {
    if (!this.#open || this.#socket.send(text, false, false) === 1) return;
    this.#unreadBytes += text.length;
    // It would not read why, either.
    if (this.#unreadBytes > unreadAnswersBytes) this.destroy();
  }

  #publish(scanner: PublishScanner): void {
    this.#publishing ??= new Publishing(this, this.#services.gateway.publisher, { type: 'configure' });
    const problem = this.#publishing.publish(scanner);
    if (problem !== null) this.#refuse(idOf(scanner), problem);
    else if (this.#publishing.isOverfull) this.#end(tryAgainLater, 'the broker is behind');
  }

  #take(frame: { readonly type?: unknown; readonly id?: unknown }): void {
    const { type } = frame;
    const id = typeof frame.id === 'string' || typeof frame.id === 'number' ? frame.id : undefined;
    if (typeof type !== 'string' || !Object.hasOwn(clientFrames, type)) {
      return this.#refuse(id, `The frame's type is none of ${Object.keys(clientFrames).join(', ')}.`);
    }
    const name = type as Exclude<keyof ClientFrames, 'publish'>;
    const problem = problemOf(clientFrames[name], frame, 'The frame');
    if (problem !== null) return this.#refuse(id, problem);
    (this.#handlers[name] as (frame: ClientFrame) => void)(frame as ClientFrame);
  }

  readonly #handlers: Omit<Frames, 'publish'> = {
    configure: (frame) => {
      if (this.#publishing?.hasBegun === true) {
        return this.#refuse(frame.id, 'This connection has published already: configure comes first.');
      }
      this.#publishing?.close();
      this.#publishing = new Publishing(this, this.#services.gateway.publisher, frame);
      this.send({ type: 'configured', ...given(frame.id) });
    },
    producer: (frame) => this.#guard(frame.id, () => this.#resumeProducer(frame)),
    subscribe: (frame) => this.#guard(frame.id, () => this.#subscribe(frame)),
    credit: (frame) =>
      this.#with(frame, (subscription) => {
        subscription.credit(frame.records);
        this.#done(frame.id);
      }),
    pause: (frame) =>
      this.#with(frame, (subscription) => {
        subscription.pause(frame.partitions);
        this.#done(frame.id);
      }),
    resume: (frame) =>
      this.#with(frame, (subscription) => {
        subscription.resume(frame.partitions);
        this.#done(frame.id);
      }),
    seek: (frame) =>
      this.#with(frame, (subscription) =>
        this.#guard(frame.id, () =>
          subscription.seek(frame.to, frame.partitions, (positions) =>
            this.send({ type: 'sought', ...given(frame.id), subscription: frame.subscription, positions }),
          ),
        ),
      ),
    commit: (frame) =>
      this.#with(frame, (subscription) => this.#guard(frame.id, () => this.#commit(subscription, frame))),
    release: (frame) =>
      this.#with(frame, (subscription) => {
        subscription.release();
        this.#done(frame.id);
      }),
    unsubscribe: (frame) =>
      this.#with(frame, (subscription) => {
        subscription.close();
        this.#subscriptions?.delete(frame.subscription);
        this.#done(frame.id);
      }),
    ping: ({ id }) => this.send({ type: 'pong', ...given(id), time: this.#services.nowMs() }),
  };

  async #subscribe(frame: ClientFrames['subscribe']): Promise<void> {
    const { gateway, formats } = this.#services;
    const { id, subscription: name } = frame;
    const subscriptions = (this.#subscriptions ??= new Map<string, Subscription>());
    if (subscriptions.has(name)) return this.#refuse(id, `There is a subscription ${JSON.stringify(name)} already.`);
    if (subscriptions.size >= mostSubscriptions) {
      return this.#refuse(id, `A connection has at most ${mostSubscriptions} subscriptions.`);
    }
    if (frame.from === 'committed' && frame.group === undefined) {
      return this.#refuse(id, 'Only a subscription with a group begins at what was committed.');
    }
    const subscription = new Subscription(this, gateway.feeds, formats.of(name, frame.values ?? 'json'), frame);
    subscriptions.set(name, subscription);
    const refusal = await subscription.begin((positions) =>
      this.send({ type: 'subscribed', ...given(id), subscription: name, positions }),
    );
    if (refusal === null) return;
    subscription.close();
    if (subscriptions.get(name) === subscription) subscriptions.delete(name);
    this.#refuse(id, refusal.message, refusal.errorCode, name);
  }

  async #resumeProducer({ id, producer: name, topic, partition = -1, takeover = false }: ClientFrames['producer']) {
    const { gateway } = this.#services;
    const wrong = problemOfIdentity(name, 0);
    if (wrong !== null) return this.#refuse(id, wrong);
    this.#publishing ??= new Publishing(this, gateway.publisher, { type: 'configure' });
    const resumed = await gateway.resume(this.#publishing.producer(name), topic, {
      partition,
      takeover,
      caller: this.caller,
    });
    if (resumed.errorCode !== ErrorCode.NONE) return this.#refuse(id, resumed.message ?? '', resumed.errorCode);
    const { lastNumber: last } = resumed;
    this.send({ type: 'last', ...given(id), producer: name, topic, partition: resumed.partition, last });
  }

  async #commit(subscription: Subscription, { id, positions }: ClientFrames['commit']): Promise<void> {
    const { name } = subscription;
    if (!subscription.hasGroup) {
      return this.#refuse(id, 'Only a subscription with a group commits.', ErrorCode.INVALID_GROUP_ID, name);
    }
    const problems = await subscription.commit(positions);
    if (problems.length === 0) return this.#done(id);
    const frames = problems.map(({ errorCode, message, topic, partition }) => {
      const error = errorName(errorCode);
      return JSON.stringify({ type: 'error', ...given(id), error, message, subscription: name, topic, partition });
    });
    this.sendAll(frames);
  }

  #with(
    frame: { readonly id?: FrameId; readonly subscription: string },
    use: (subscription: Subscription) => void,
  ): void {
    const subscription = this.#subscriptions?.get(frame.subscription);
    if (subscription !== undefined) return use(subscription);
    this.#refuse(frame.id, `There is no subscription ${JSON.stringify(frame.subscription)}.`);
  }

  #done(id: FrameId | undefined): void {
    if (id !== undefined) this.send({ type: 'done', id });
  }

  /** Runs what takes a while; a defect in it is told and costs this connection. */
  #guard(id: FrameId | undefined, action: () => Promise<void>): void {
    action().catch((error: unknown) => {
      this.#services.logger.error({ error }, 'A frame over WebSocket could not be served.');
      this.#refuse(id, 'The broker failed at this; its log says more.', ErrorCode.UNKNOWN_SERVER_ERROR);
      this.destroy();
    });
  }

  #refuse(
    id: FrameId | undefined,
    message: string,
    errorCode: ErrorCode = ErrorCode.INVALID_REQUEST,
    subscription?: string,
  ): void {
    const error = errorName(errorCode);
    const of = subscription === undefined ? {} : { subscription };
    this.send({ type: 'error', ...given(id), error, message, ...of });
  }

  #closeSubscriptions(): void {
    if (this.#subscriptions === null) return;
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.#subscriptions.clear();
  }

  #end(code: number, reason: string): void {
    if (this.#open) this.#socket.end(code, reason);
  }
}

/** The id of a frame that was scanned, as far as it got. */
function idOf(scanned: PublishScanner): FrameId | undefined {
  const kind = scanned.kind(field.id);
  if (kind === JsonKind.NUMBER) return Number(scanned.rawOf(field.id));
  if (kind !== JsonKind.STRING && kind !== JsonKind.ESCAPED_STRING) return undefined;
  return scanned.textOf(field.id).slice(0, 100);
}

function given(id: FrameId | undefined): { readonly id?: FrameId } {
  return id === undefined ? {} : { id };
}
