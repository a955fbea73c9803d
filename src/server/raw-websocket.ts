/**
 * The shortest way from a socket to the log: every WebSocket message is one record. I/O thread.
 *
 *   /topics/{topic}/produce?acks=all|1|0&key=K&partition=N&first=1&producer=NAME&clientId=ID
 *
 *   device → broker   a text or binary message: the value of a record, byte by byte
 *   broker → device   a text message with a number: every record up to it is stored as the acks ask, but for those that an
 *                     error named before; told once for many. Records are numbered from `first` on, by default from 1.
 *                     {"error":"MESSAGE_TOO_LARGE","message":"…","from":7,"count":1}
 *                     the records 7 to 7 were not stored
 *                     {"last":41}   first of all where there is a producer: the last of its numbers that is stored
 *
 * With a producer's name numbers belong to it: what is stored already is acknowledged and not stored again, so a device
 * comes back with `first` as the number of the oldest message that was not acknowledged, and sends from there on again.
 *
 * A device that is above its quota hears of what is stored later.
 * uWebSockets.js cannot stop reading one socket, so a device that sends on while the log is behind, or its quota used up, has
 * its records kept up to a bound, beyond which the connection ends with code 1013, "try again later": what was not acknowledged is sent
 * again then. It does not open records.
 */

import { ErrorCode, errorName } from '../base/error-code.ts';
import { problemOfTopicName } from '../broker/topic-name.ts';
import { NamedProducer, problemOfIdentity } from '../gateway/named-producers.ts';
import type { Caller } from '../gateway/caller.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { PublishListener, PublishStream } from '../gateway/publish-stream.ts';
import type { PublishTarget } from '../gateway/publish-target.ts';
import type { Durability } from '../storage/partition-log.ts';
import { clientIdHint, isClientId } from './client-id.ts';
import type { HttpRefusal, PeerSocket, RouteTable, SocketLink } from './http-route.ts';

export interface RawWebSocketOptions {
  readonly gateway: Gateway;
  /** A longer message ends its connection, in bytes. */
  readonly largestMessageBytes: number;
}

/** What a device asks for with its request. */
interface Asked {
  readonly topic: string;
  readonly durability: Durability;
  readonly key: Uint8Array | null;
  /** -1: any. */
  readonly partition: number;
  /** The number of the first record. */
  readonly first: number;
  /** Whose numbers they are; null: nobody's. */
  readonly producer: string | null;
  readonly clientId: string;
}

type Target = PeerSocket<Asked>;

const goingAway = 1001;
const tryAgainLater = 1013;
/** Where so much of what was told is not read, numbers wait for the next, in bytes. */
const numbersWaitFromBytes = 16 * 1024;
/** A device that does not read so much of what it is told is ended, in bytes. */
const largestBacklogBytes = 1024 * 1024;

/** What a message costs beside its bytes while it waits for the producer's last number, and what all may take, in bytes. */
const earlyMessageBytes = 100;
const earlyMostBytes = 8 * 1024 * 1024;

const durabilityByAcks: ReadonlyMap<string, Durability> = new Map([
  ['all', 'synced'],
  ['1', 'written'],
  ['0', 'none'],
]);

class RawLink implements SocketLink, PublishListener {
  place = -1;
  /** uWebSockets.js's pings tell whether somebody is there; who has nothing to say may stay. */
  readonly idleSinceMs = Infinity;
  readonly caller: Caller;
  readonly #socket: Target;
  readonly #asked: Asked;
  readonly #target: PublishTarget;
  readonly #stream: PublishStream;
  #open = true;
  #finishing = false;
  #toldEnd = 0;
  #settledEnd = 0;
  readonly #producer: NamedProducer | null;
  /** What came before the producer's last number was known; null once it is. */
  #early: Uint8Array[] | null = null;
  #earlyBytes = 0;

  constructor(socket: Target, asked: Asked, clientHost: string, gateway: Gateway) {
    const { publisher } = gateway;
    this.#socket = socket;
    this.#asked = asked;
    this.caller = gateway.caller(asked.clientId, clientHost);
    this.#target = publisher.target(asked.topic);
    this.#stream = publisher.openStream(this, { durability: asked.durability, caller: this.caller });
    this.#producer = asked.producer === null ? null : new NamedProducer(asked.producer);
    if (this.#producer !== null) this.#resume(this.#producer, gateway);
  }

  message(message: ArrayBuffer): void {
    if (this.#finishing) return;
    const { key, partition } = this.#asked;
    const bytes = new Uint8Array(message);
    const stream = this.#stream;
    if (this.#producer !== null) return this.#numbered(this.#producer, bytes);
    if (key === null) stream.publishSlice(this.#target, partition, bytes, 0, bytes.length);
    else stream.publish(this.#target, partition, key, bytes);
    if (stream.overfull) this.#end(tryAgainLater, 'the broker is behind');
  }

  #resume(producer: NamedProducer, gateway: Gateway): void {
    const { topic, partition, durability } = this.#asked;
    this.#early = [];
    const options = { partition, durability, caller: this.caller };
    void gateway.resume(producer, topic, options).then(({ errorCode, message, lastNumber }) => {
      const early = this.#early ?? [];
      this.#early = null;
      if (!this.#open) return;
      if (errorCode === ErrorCode.NONE) this.#send(JSON.stringify({ last: lastNumber }));
      else {
        const { first } = this.#asked;
        this.#send(JSON.stringify({ error: errorName(errorCode), message, from: first, count: early.length }));
        return this.#end(tryAgainLater, 'the producer cannot go on');
      }
      for (const bytes of early) this.#numbered(producer, bytes);
    });
  }

  #numbered(producer: NamedProducer, bytes: Uint8Array): void {
    if (this.#early !== null) {
      this.#early.push(bytes.slice());
      this.#earlyBytes += bytes.length + earlyMessageBytes;
      if (this.#earlyBytes > earlyMostBytes) this.#end(tryAgainLater, 'the broker is behind');
      return;
    }
    const { key, partition, first } = this.#asked;
    const number = first + this.#stream.endOrdinal;
    producer.beginSubmission();
    this.#stream.publishNamed(producer, number, null, this.#target, partition, key, bytes);
    if (this.#stream.overfull) this.#end(tryAgainLater, 'the broker is behind');
  }

  settled(endOrdinal: number): void {
    this.#settledEnd = endOrdinal;
    this.#tell();
    if (this.#finishing) this.finish();
  }

  failed(firstOrdinal: number, count: number, errorCode: ErrorCode, message: string): void {
    const from = this.#asked.first + firstOrdinal;
    this.#send(JSON.stringify({ error: errorName(errorCode), message, from, count }));
  }

  stored(): void {
    // The numbers say so.
  }

  broken(): void {
    this.destroy();
  }

  drained(): void {
    this.#tell();
  }

  finish(): void {
    this.#finishing = true;
    if (this.#early === null && this.#stream.waitingCount === 0) this.#end(goingAway, 'the broker stops');
  }

  destroy(): void {
    if (this.#open) this.#socket.close();
  }

  closed(): void {
    this.#open = false;
    this.#stream.close();
  }

  #tell(): void {
    if (!this.#open || this.#settledEnd === this.#toldEnd || this.#asked.durability === 'none') return;
    if (this.#socket.getBufferedAmount() > numbersWaitFromBytes) return;
    this.#toldEnd = this.#settledEnd;
    this.#socket.send(String(this.#asked.first + this.#toldEnd - 1));
  }

  #send(text: string): void {
    if (!this.#open) return;
    this.#socket.send(text);
    if (this.#socket.getBufferedAmount() > largestBacklogBytes) this.destroy();
  }

  #end(code: number, reason: string): void {
    if (this.#open) this.#socket.end(code, reason);
  }
}

/** The part of the HTTP server that takes raw messages. */
export class RawWebSocket {
  readonly #options: RawWebSocketOptions;

  constructor(options: RawWebSocketOptions) {
    this.#options = options;
  }

  register(table: RouteTable): void {
    table.webSocket<Asked>({
      pattern: '/topics/:topic/produce',
      protocols: ['millrace.raw.v1'],
      hint: 'Connect with a WebSocket: every message becomes a record.',
      largestMessageBytes: this.#options.largestMessageBytes,
      largestBacklogBytes: 0,
      // It gives nothing where there is no query, whatever its types say.
      read: (request) => readAsked(request.getParameter(0), (request.getQuery() as string | undefined) ?? ''),
      open: (socket, { asked, clientHost }) => new RawLink(socket, asked, clientHost, this.#options.gateway),
    });
  }
}

const asksFor = new Set(['acks', 'key', 'partition', 'first', 'producer', 'clientId']);
/** What a device is called that does not say it. */
const defaultClientId = 'millrace-raw';
const longestQueryBytes = 4096;

function readAsked(topicText: string, query: string): { readonly asked: Asked } | HttpRefusal {
  const topic = decoded(topicText);
  if (topic === null) return badRequest('The topic in the path is not percent-encoded UTF-8.');
  const problem = problemOfTopicName(topic);
  if (problem !== null) return badRequest(`${problem}.`);
  if (query.length > longestQueryBytes) return badRequest('The query is too long.');
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (!asksFor.has(name)) return badRequest(`There is no parameter ${JSON.stringify(name.slice(0, 40))}.`);
  }
  const durability = durabilityByAcks.get(parameters.get('acks') ?? 'all');
  if (durability === undefined) return badRequest('The parameter acks is all, 1 or 0.');
  const partition = integerOf(parameters.get('partition'), -1, 0, 2 ** 31 - 1);
  if (partition === null) return badRequest('The parameter partition is a whole number from 0 on.');
  const first = integerOf(parameters.get('first'), 1, 0, 2 ** 52);
  if (first === null) return badRequest('The parameter first is a whole number from 0 on.');
  const key = parameters.get('key');
  const producer = parameters.get('producer');
  const wrongName = producer === null ? null : problemOfIdentity(producer, first);
  if (wrongName !== null) return badRequest(wrongName);
  const clientId = parameters.get('clientId') ?? defaultClientId;
  if (!isClientId(clientId)) return badRequest(clientIdHint);
  const keyBytes = key === null ? null : new TextEncoder().encode(key);
  return { asked: { topic, durability, partition, first, producer, clientId, key: keyBytes } };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Null where `text` is no integer from `least` to `most`. */
function integerOf(text: string | null, otherwise: number, least: number, most: number): number | null {
  if (text === null) return otherwise;
  if (!/^\d{1,16}$/.test(text)) return null;
  const number = Number(text);
  return number >= least && number <= most ? number : null;
}

function badRequest(reason: string): HttpRefusal {
  return { status: '400 Bad Request', reason };
}
