/**
 * One connection's worth of fuzzing: some requests, good or bad, in pieces of any size, and what has to come back.
 *
 *   good      requests as the schemas have them          each is answered, in order, with what its codec reads whole
 *   mutated   some of their bytes changed                an answer or an end, but not silence on a connection that lives
 *   unserved  keys and versions that are not served      the end; for ApiVersions an answer of version 0
 *   garbage   any bytes                                  likewise; half of a frame, and a connection that goes away
 */

import { setTimeout } from 'node:timers/promises';
import type { SeededRandom } from '../../src/base/random.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { oneOf } from './choice.ts';
import { mutate } from './frame-mutator.ts';
import { RawConnection, type DoorKind, type DoorPorts } from './raw-connection.ts';
import type { GeneratedRequest, RequestGenerator } from './request-generator.ts';
import type { KnownApi } from './schemas.ts';
import type { World } from './world.ts';

export interface Surroundings {
  readonly random: SeededRandom;
  readonly world: World;
  readonly generator: RequestGenerator;
  readonly ports: DoorPorts;
  /** Those with a handler. */
  readonly served: readonly KnownApi[];
  readonly unserved: readonly KnownApi[];
}

export interface ConversationResult {
  readonly kind: ConversationKind;
  readonly requests: number;
  readonly answers: number;
  /** What must not be, as sentences. */
  readonly problems: readonly string[];
}

export type ConversationKind = 'good' | 'mutated' | 'unserved' | 'garbage';

const produceKey = 0;
const apiVersionsKey = 18;
const unsupportedVersion = 35;
/** Answers may come late where a group's members have to join first; then they are not waited for. */
const mayWaitLong = new Set([9, 11, 14]);
/** A broker that does not answer within this time hangs. */
const hangMs = 30_000;
/** A WebSocket message of more than 16 MiB ends its connection; larger requests come as several. */
const largestPieceBytes = 8 * 1024 * 1024;
/** What may be sent ahead over a WebSocket is 32 MiB; some of it is in flight. */
const aheadBytes = 24 * 1024 * 1024;
/** Silence is what an incomplete frame is answered with. */
const silenceMs = 15;

export async function converse(surroundings: Surroundings): Promise<ConversationResult> {
  const { random } = surroundings;
  const kind = oneOf<ConversationKind>(random, ['good', 'good', 'good', 'mutated', 'mutated', 'unserved', 'garbage']);
  const door = oneOf<DoorKind>(random, ['tcp', 'websocket']);
  const connection = await RawConnection.open(door, surroundings.ports);
  try {
    switch (kind) {
      case 'good':
        return await good(connection, surroundings);
      case 'mutated':
        return await mutated(connection, surroundings);
      case 'unserved':
        return await unserved(connection, surroundings);
      default:
        return await garbage(connection, surroundings);
    }
  } finally {
    connection.destroy();
  }
}

function someRequest({ random, generator, served }: Surroundings, correlationId: number): GeneratedRequest {
  const api = oneOf(random, served);
  const { minVersion, stableVersion } = api.codec;
  const version = minVersion + random.below(stableVersion - minVersion + 1);
  return generator.request(api, version, correlationId);
}

/** Sends `bytes` in pieces of any size, a turn apart. */
async function sendInPieces(connection: RawConnection, bytes: Buffer, random: SeededRandom): Promise<void> {
  const largest = Math.min(oneOf(random, [bytes.length, bytes.length, 3, 100, 1000, 65_536]), largestPieceBytes);
  // A byte at a time is for short messages.
  const least = Math.ceil(bytes.length / 200);
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + Math.max(1 + random.below(Math.max(largest, 1)), least));
    connection.write(bytes.subarray(at, end));
    at = end;
    if (at < bytes.length) await setTimeout(0);
  }
}

async function good(connection: RawConnection, surroundings: Surroundings): Promise<ConversationResult> {
  const { random, world } = surroundings;
  const requests = Array.from({ length: 1 + random.below(12) }, (_, i) => someRequest(surroundings, i * 7 + 1));
  const bytes = Buffer.concat(requests.map(({ frame }) => frame));
  await sendInPieces(connection, bytes, random);
  const problems: string[] = [];
  let answers = 0;
  for (const request of requests) {
    const { codec } = request.api;
    const { acks } = request.message;
    if (codec.apiKey === produceKey && acks === 0) {
      // Not answered; where one of its batches is refused the connection ends.
      continue;
    }
    const frame = await frameWithin(connection, mayWaitLong.has(codec.apiKey) ? 300 : hangMs);
    if (frame === 'silence') {
      if (!mayWaitLong.has(codec.apiKey)) problems.push(`${describe(request)} is not answered`);
      break;
    }
    if (frame === null) {
      // A WebSocket cannot be kept from sending far ahead, and is ended.
      const isFarAhead = bytes.length > aheadBytes;
      const endedByRule =
        isFarAhead || requests.some(({ api, message }) => api.codec.apiKey === produceKey && message['acks'] === 0);
      const beside = requests.map(({ api, version }) => `${api.codec.name} ${version}`).join(', ');
      if (!endedByRule) problems.push(`${describe(request)} ended the connection, or one of ${beside}`);
      break;
    }
    answers++;
    const problem = problemOfAnswer(request, frame, world);
    if (problem !== null) {
      problems.push(problem);
      break;
    }
  }
  return { kind: 'good', requests: requests.length, answers, problems };
}

function problemOfAnswer(
  { api, version, correlationId, ...request }: GeneratedRequest,
  frame: Buffer,
  world: World,
): string | null {
  const what = describe({ api, version, correlationId, ...request });
  try {
    const reader = new Reader(frame);
    const answered = decodeResponseHeader(reader, api.codec, version);
    if (answered !== correlationId) return `${what} got the answer to ${answered}`;
    const response = api.codec.decodeResponse(reader, version);
    reader.expectEnd();
    world.learn(response);
    return null;
  } catch (error) {
    return `${what} got an answer that does not decode: ${String(error)}`;
  }
}

async function mutated(connection: RawConnection, surroundings: Surroundings): Promise<ConversationResult> {
  const { random } = surroundings;
  const requests = Array.from({ length: 1 + random.below(6) }, (_, i) => someRequest(surroundings, i));
  const changed = requests.map(({ frame }) => {
    if (random.chance(0.3)) return frame;
    return mutate(random, frame, oneOf(random, requests).frame);
  });
  await sendInPieces(connection, Buffer.concat(changed), random);
  // It may wait for more of a frame, as the stream may have lied; then it goes away without it.
  let answers = 0;
  for (;;) {
    const frame = await frameWithin(connection, silenceMs);
    if (frame === null || frame === 'silence') break;
    answers++;
  }
  if (random.chance(0.3)) connection.end();
  return { kind: 'mutated', requests: changed.length, answers, problems: [] };
}

async function unserved(connection: RawConnection, surroundings: Surroundings): Promise<ConversationResult> {
  const { random, generator, served, unserved: without } = surroundings;
  const problems: string[] = [];
  if (without.length > 0 && random.chance(0.5)) {
    const api = oneOf(random, without);
    const version = api.codec.minVersion + random.below(api.codec.maxVersion - api.codec.minVersion + 1);
    connection.write(generator.request(api, version, 1).frame);
    if ((await frameWithin(connection, hangMs)) !== null) problems.push(`${api.codec.name} was answered`);
    return { kind: 'unserved', requests: 1, answers: 0, problems };
  }
  const api = oneOf(random, served);
  const { frame } = generator.request(api, api.codec.minVersion, 77);
  const version = oneOf(random, [-1, -32_768, api.codec.minVersion - 1, api.codec.maxVersion + 1, 99, 32_767]);
  frame.writeInt16BE(version, 6);
  connection.write(frame);
  const answer = await frameWithin(connection, hangMs);
  const { name, apiKey } = api.codec;
  if (apiKey !== apiVersionsKey) {
    if (answer !== null) problems.push(`${name} version ${version} did not end the connection`);
  } else if (
    !(answer instanceof Buffer) ||
    answer.readInt32BE(0) !== 77 ||
    answer.readInt16BE(4) !== unsupportedVersion
  ) {
    problems.push(`ApiVersions version ${version} is not answered as an unsupported version`);
  }
  return { kind: 'unserved', requests: 1, answers: answer instanceof Buffer ? 1 : 0, problems };
}

async function garbage(connection: RawConnection, surroundings: Surroundings): Promise<ConversationResult> {
  const { random } = surroundings;
  const bytes = Buffer.alloc(1 + random.below(2000));
  random.fill(bytes);
  // A size that is allowed, so that it gets as far as the request.
  if (random.chance(0.6) && bytes.length >= 8) {
    bytes.writeInt32BE(bytes.length - 4, 0);
    if (random.chance(0.5)) bytes.writeInt32BE(random.below(80) * 65_536 + random.below(14), 4);
  }
  await sendInPieces(connection, bytes, random);
  const frame = await frameWithin(connection, silenceMs);
  return { kind: 'garbage', requests: 1, answers: frame instanceof Buffer ? 1 : 0, problems: [] };
}

async function frameWithin(connection: RawConnection, ms: number): Promise<Buffer | null | 'silence'> {
  const giveUp = new AbortController();
  try {
    const silence = setTimeout(ms, 'silence' as const, { signal: giveUp.signal });
    silence.catch(() => {});
    return await Promise.race([connection.frame(), silence]);
  } finally {
    giveUp.abort();
  }
}

function describe({ api, version, message, frame }: GeneratedRequest): string {
  const text = JSON.stringify(message, (_, value: unknown) =>
    value instanceof Uint8Array
      ? `${value.length} bytes`
      : typeof value === 'string' && value.length > 60
        ? `${value.slice(0, 20)}…${value.length}`
        : value,
  );
  return `${api.codec.name} version ${version} of ${frame.length} bytes ${text.slice(0, 300)}`;
}
