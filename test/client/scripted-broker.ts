/**
 * A broker of a few lines, in place of a transport: it answers what a script says, byte for byte, so that clients meet what
 * no real broker would send on demand. It has one node and, for whoever asks, topics with one partition.
 */

import { ErrorCode } from '../../src/base/error-code.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import type { OpenTransport, TransportListener } from '../../src/client/index.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import { ApiKey, apis, type ApiVersionsResponse, type MetadataRequest } from '../../src/protocol/generated/index.ts';
import { decodeRequestRest, decodeRequestStart, encodeResponseHeader, isFlexible } from '../../src/protocol/headers.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';

export interface Asked {
  readonly apiKey: number;
  readonly version: number;
  readonly body: any;
  /** From 0, of all requests with this key. */
  readonly count: number;
  readonly connection: ScriptedConnection;
}

/**
 * What is answered: a response's body; `undefined` for what the broker answers by itself; `silence` for nothing; bytes for
 * a frame as it is, with its size before it.
 */
export type Answer = object | undefined | typeof silence | Uint8Array | Promise<object>;
export const silence: unique symbol = Symbol('silence');

export class ScriptedConnection {
  readonly #listener: TransportListener;
  isOpen = true;

  constructor(listener: TransportListener) {
    this.#listener = listener;
  }

  send(bytes: Uint8Array): void {
    if (this.isOpen) this.#listener.received(bytes);
  }

  /** Ends it from the broker's side. */
  cut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#listener.closed('the script cut it');
  }
}

export class ScriptedBroker {
  /** All that was asked, in order. */
  readonly asked: Asked[] = [];
  readonly #script: (asked: Asked) => Answer;
  readonly #counts = new Map<number, number>();
  connectionCount = 0;

  constructor(script: (asked: Asked) => Answer) {
    this.#script = script;
  }

  /** For `ClientOptions.transport`. */
  get transport(): OpenTransport {
    return (_url, listener) => {
      this.connectionCount++;
      const connection = new ScriptedConnection(listener);
      let frame = Buffer.alloc(0);
      queueMicrotask(() => listener.opened());
      return {
        send: (bytes) => {
          frame = Buffer.concat([frame, bytes]);
          while (frame.length >= 4 && frame.length >= 4 + frame.readInt32BE(0)) {
            const end = 4 + frame.readInt32BE(0);
            this.#request(new Uint8Array(frame.subarray(4, end)), connection);
            frame = frame.subarray(end);
          }
        },
        close: () => {
          connection.isOpen = false;
        },
      };
    };
  }

  of(apiKey: number): Asked[] {
    return this.asked.filter((asked) => asked.apiKey === apiKey);
  }

  #request(frame: Uint8Array, connection: ScriptedConnection): void {
    const reader = new Reader(frame);
    const { apiKey, apiVersion, correlationId } = decodeRequestStart(reader);
    const api = apis.get(apiKey)!;
    decodeRequestRest(reader, isFlexible(api, apiVersion));
    const count = this.#counts.get(apiKey) ?? 0;
    this.#counts.set(apiKey, count + 1);
    const asked = { apiKey, version: apiVersion, body: api.decodeRequest(reader, apiVersion), count, connection };
    this.asked.push(asked);
    const answer = this.#script(asked);
    queueMicrotask(() => void this.#answer(api, asked, correlationId, answer));
  }

  async #answer(api: ApiCodec, asked: Asked, correlationId: number, answer: Answer): Promise<void> {
    if (answer === silence) return;
    if (answer instanceof Uint8Array) return asked.connection.send(answer);
    const body = (await answer) ?? standardAnswer(asked);
    const writer = new Writer(true);
    encodeResponseHeader(writer, api, asked.version, correlationId);
    api.encodeResponse(writer, body, asked.version);
    asked.connection.send(new Uint8Array(Buffer.concat(writer.finish())));
  }
}

function standardAnswer({ apiKey, body }: Asked): object {
  switch (apiKey) {
    case ApiKey.ApiVersions:
      return versionsAnswer();
    case ApiKey.Metadata:
      return metadataAnswer((body as MetadataRequest).topics?.map(({ name }) => name!) ?? []);
    case ApiKey.InitProducerId:
      return { ...zeroAnswer, producerId: 7, producerEpoch: 0, ongoingTxnProducerId: -1, ongoingTxnProducerEpoch: -1 };
    case ApiKey.Produce:
      return produceAnswer(body, ErrorCode.NONE, 0);
    default:
      throw new Error(`the script has no answer to key ${apiKey}`);
  }
}

const zeroAnswer = { throttleTimeMs: 0, errorCode: ErrorCode.NONE };

export function versionsAnswer(): ApiVersionsResponse {
  return {
    ...zeroAnswer,
    apiKeys: [...apis.values()].map(({ apiKey, minVersion, stableVersion }) => ({
      apiKey,
      minVersion,
      maxVersion: stableVersion,
    })),
    supportedFeatures: [],
    finalizedFeaturesEpoch: -1,
    finalizedFeatures: [],
    zkMigrationReady: false,
  };
}

function metadataAnswer(topics: readonly string[]): object {
  return {
    ...zeroAnswer,
    brokers: [{ nodeId: 0, host: 'scripted', port: 1, rack: null }],
    clusterId: 'scripted',
    controllerId: 0,
    topics: topics.map((name) => ({
      errorCode: ErrorCode.NONE,
      name,
      topicId: zeroUuid,
      isInternal: false,
      partitions: [
        {
          errorCode: ErrorCode.NONE,
          partitionIndex: 0,
          leaderId: 0,
          leaderEpoch: 0,
          replicaNodes: [0],
          isrNodes: [0],
          offlineReplicas: [],
        },
      ],
      topicAuthorizedOperations: 0,
    })),
    clusterAuthorizedOperations: 0,
  };
}

/** The same for every partition of a produce request. */
export function produceAnswer(body: any, errorCode: number, baseOffset: number): object {
  return {
    throttleTimeMs: 0,
    nodeEndpoints: [],
    responses: body.topicData.map(({ name, topicId, partitionData }: any) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }: any) => ({
        index,
        errorCode,
        baseOffset,
        logAppendTimeMs: -1,
        logStartOffset: 0,
        recordErrors: [],
        errorMessage: null,
        currentLeader: { leaderId: -1, leaderEpoch: -1 },
      })),
    })),
  };
}
