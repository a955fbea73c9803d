/** Scenarios that only write: sizes, acks, partitions, compressions, transports, crowds. */

import type { ResultRow } from './figures.ts';
import {
  comparedRows,
  only,
  percentileNames,
  type ProduceCase,
  produceRound,
  produceRows,
  requestFigures,
  throughputFigures,
} from './produce-case.ts';
import { acksName, inBulk, type Scenario, sizeName } from './scenario.ts';

const largeBatch = 2 ** 20;
const usualBatch = 16 * 1024;
/** So many usual batches are about as many bytes in flight as five large ones. */
const usualInFlight = 64;
/** A connection of a crowd has one request in flight, one of few has several. */
const pipelined = 16;
/** Of the sweep over partitions: so many have a batch in each request, where there are as many. */
const partitionsAtOnce = 12;

const inFlightOf = (batchBytes: number): number => (batchBytes === largeBatch ? 5 : usualInFlight);

const produce: Scenario = {
  name: 'produce',
  title: 'one connection, one partition, prepared batches',
  run: (anyContext) => {
    const context = inBulk(anyContext);
    const cases = context.sizes.recordBytes.flatMap((recordBytes) =>
      ([1, -1] as const).flatMap((acks) =>
        [usualBatch, largeBatch].map((batchBytes): ProduceCase => ({
          what: `${sizeName(recordBytes)}, ${acksName(acks)}${acks === -1 ? ' idempotent' : ''}, batches of ${sizeName(batchBytes)}`,
          recordBytes,
          batchBytes,
          acks,
          idempotent: acks === -1,
          inFlight: acks === -1 ? 5 : inFlightOf(batchBytes),
        })),
      ),
    );
    return produceRows('produce', cases, throughputFigures, context);
  },
};

const acks: Scenario = {
  name: 'acks',
  title: 'acks 0, 1 and all beside each other, 1 KiB records in batches of 16 KiB',
  run: (context) => {
    const cases = ([0, 1, -1] as const).map((each): ProduceCase => ({
      what: acksName(each),
      recordBytes: 1024,
      batchBytes: usualBatch,
      acks: each,
      inFlight: usualInFlight,
      sweep: { title: 'acks', at: acksName(each), line: '1 KiB' },
    }));
    return produceRows('acks', cases, throughputFigures, context);
  },
};

const recordSizes: Scenario = {
  name: 'record-sizes',
  title: 'records of 100 B to 100 KB, 12 partitions, acks=1',
  run: (context) => {
    const cases = [largeBatch, usualBatch].flatMap((batchBytes) =>
      context.sizes.sweptRecordBytes.map((recordBytes): ProduceCase => {
        const batches = `batches of ${sizeName(batchBytes)}`;
        const isAlone = recordBytes > batchBytes;
        return {
          what: `${sizeName(recordBytes)}, ${isAlone ? 'a batch for each record' : batches}`,
          recordBytes,
          batchBytes,
          acks: 1,
          partitionCount: 12,
          inFlight: inFlightOf(batchBytes),
          sweep: {
            title: 'record size',
            at: sizeName(recordBytes),
            line: batchBytes === largeBatch ? batches : `${batches}, or a record`,
          },
        };
      }),
    );
    return produceRows('record-sizes', cases, throughputFigures, context);
  },
};

const partitions: Scenario = {
  name: 'partitions',
  title:
    'partitions written in turn, 1 KiB records, 192 KiB a request: a batch for each of twelve, or one for a single one',
  run: (context) => {
    const cases = ([1, -1] as const).flatMap((each) =>
      context.sizes.manyPartitions.map((partitionCount): ProduceCase => {
        const partitionsPerRequest = Math.min(partitionCount, partitionsAtOnce);
        return {
          what: `${partitionCount} ${partitionCount === 1 ? 'partition' : 'partitions'}, ${acksName(each)}`,
          recordBytes: 1024,
          // As many bytes a request everywhere: else the places of the sweep would differ in that most of all.
          batchBytes: (usualBatch * partitionsAtOnce) / partitionsPerRequest,
          acks: each,
          partitionCount,
          partitionsPerRequest,
          inFlight: 5,
          sweep: { title: 'partitions', at: String(partitionCount), line: acksName(each) },
        };
      }),
    );
    return produceRows('partitions', cases, [...throughputFigures, 'peakRssMb'], context);
  },
};

const compressions: Scenario = {
  name: 'compression',
  title: 'none, lz4 and zstd, batches of 64 KiB before compression; bytes as they travel',
  run: (context) => {
    const cases = context.sizes.recordBytes.flatMap((recordBytes) =>
      (['none', 'lz4', 'zstd'] as const).map((compression): ProduceCase => ({
        what: `${sizeName(recordBytes)}, ${compression}`,
        recordBytes,
        batchBytes: 64 * 1024,
        acks: 1,
        compression,
        inFlight: pipelined,
        sweep: { title: 'compression', at: compression, line: sizeName(recordBytes) },
      })),
    );
    return produceRows('compression', cases, throughputFigures, context);
  },
};

const transports: Scenario = {
  name: 'websocket',
  title: 'the same in WebSocket frames and over TCP, in turn, acks=1; ratio: WebSocket over TCP',
  async run(context) {
    const rows: ResultRow[] = [];
    for (const batchBytes of [usualBatch, largeBatch]) {
      const batches = `batches of ${sizeName(batchBytes)}`;
      const one = { what: batches, recordBytes: 1024, batchBytes, acks: 1, inFlight: inFlightOf(batchBytes) } as const;
      const contenders = (['websocket', 'tcp'] as const).map((transport) => {
        const name = transport === 'tcp' ? 'TCP' : 'WebSocket';
        return {
          name,
          sweep: { title: 'transport', at: name, line: batches },
          round: async () =>
            only(await produceRound(context.millrace(), { ...one, transport }, context), throughputFigures),
        };
      });
      const floors = { TCP: { figure: 'ratio', atLeast: 0.7 } } as const;
      if (context.includes(batches)) rows.push(...(await comparedRows('websocket', one, contenders, floors, context)));
    }
    return rows;
  },
};

const oneRecord: Scenario = {
  name: 'one-record',
  title: 'one record of 1 KiB a request over 100 connections, pipelined and with one in flight (closed loops)',
  run: (context) => {
    const connections = Math.min(100, context.sizes.crowds.at(-1)!);
    const cases = ([1, -1] as const).flatMap((each) =>
      [pipelined, 1].map((inFlight): ProduceCase => ({
        what: `${acksName(each)}, ${inFlight} in flight on each of ${connections}`,
        recordBytes: 1024,
        batchBytes: 0,
        acks: each,
        connections,
        inFlight,
      })),
    );
    return produceRows('one-record', cases, [...requestFigures, ...percentileNames], context);
  },
};

const fanIn: Scenario = {
  name: 'fan-in',
  title: 'a crowd of connections with one record of 1 KiB in flight each (closed loops), 12 partitions',
  run: (context) => {
    const cases = ([1, -1] as const).flatMap((each) =>
      context.sizes.crowds.map((connections): ProduceCase => ({
        what: `${connections} connections, ${acksName(each)}`,
        recordBytes: 1024,
        batchBytes: 0,
        acks: each,
        connections,
        partitionCount: 12,
        inFlight: 1,
        sweep: {
          title: 'connections',
          at: String(connections),
          line: acksName(each),
          figures: ['requestsPerSecond', 'p99Ms'],
        },
      })),
    );
    return produceRows('fan-in', cases, [...requestFigures, ...percentileNames], context);
  },
};

export const produceScenarios: readonly Scenario[] = [
  produce,
  acks,
  recordSizes,
  partitions,
  compressions,
  transports,
  oneRecord,
  fanIn,
];
