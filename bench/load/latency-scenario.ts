/**
 * Acknowledgements of single records, beside a bare server that does nothing with a request but to answer it, or that has
 * a second thread write it first: no broker in this process model can be sooner. At fixed rates the client looks without a
 * pause while one request is under way; with more it naps between looks, which leaves the broker its core and adds up to
 * 0.1 ms to whoever is measured.
 */

import { bareRound } from './ceiling-scenario.ts';
import type { ResultRow } from './figures.ts';
import { latencyFigureNames, only, produceRound, roundsOf, rowOf, type ProduceCase } from './produce-case.ts';
import { alternate, type Contender } from './rounds.ts';
import { acksName, type Scenario, type ScenarioContext } from './scenario.ts';

const single = { recordBytes: 1024, batchBytes: 0 } as const;

function cases({ sizes }: ScenarioContext): ProduceCase[] {
  return ([1, -1] as const).flatMap((acks) => [
    { ...single, what: `one in flight (a closed loop), ${acksName(acks)}`, acks, inFlight: 1, recordsPerSecond: null },
    ...sizes.rates.map((rate) => ({
      ...single,
      what: `${rate}/s, ${acksName(acks)}`,
      acks,
      inFlight: 1024,
      recordsPerSecond: rate,
      sweep: { title: 'rate', at: `${rate}/s`, line: acksName(acks), figures: ['p50Ms', 'p99Ms'] as const },
    })),
  ]);
}

/** The bare server syncs nothing, so that it says nothing of acks=all. */
function contendersOf(one: ProduceCase, context: ScenarioContext): Contender[] {
  const millrace = context.millrace();
  const own = { name: millrace.name, round: () => produceRound(millrace, one, context) };
  if (one.acks === -1) return [own];
  return [
    own,
    { name: 'bare socket', round: () => bareRound('discard', context, one) },
    { name: 'bare socket, second thread writes', round: () => bareRound('copy-write', context, one) },
  ];
}

export const latencyScenario: Scenario = {
  name: 'latency',
  title: 'acknowledgements of single records of 1 KiB, at fixed rates from intended send times, and in a closed loop',
  async run(context) {
    const rows: ResultRow[] = [];
    for (const one of cases(context).filter(({ what }) => context.includes(what))) {
      context.note(`latency: ${one.what}`);
      const contenders = contendersOf(one, context).map(({ name, round }) => ({
        name,
        round: async () => only(await round(), latencyFigureNames),
      }));
      for (const [i, result] of (await alternate(contenders, roundsOf(context))).entries()) {
        const { sweep } = one;
        const line = i === 0 || sweep === undefined ? sweep : { ...sweep, line: result.name };
        rows.push(rowOf('latency', { ...one, ...(line === undefined ? {} : { sweep: line }) }, result));
      }
    }
    return rows;
  },
};
