import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Program } from '../clients/program.ts';
import { crashLoop } from './crash-loop.ts';

/** `npm run crash` asks for more rounds, and for the seed of their moments. */
const rounds = Number(process.env.CRASH_ROUNDS ?? 4);
const seed = Number(process.env.CRASH_SEED ?? 1);

describe('the program under load, killed again and again', () => {
  it.each(['auto', 'always'])(
    `loses nothing that it acknowledged, in ${rounds} rounds, with direct writes: %s`,
    async (directWrites) => {
      const program = await Program.start([`millrace.direct.writes=${directWrites}`]);
      try {
        const onRound = (done: number): void => {
          if (process.env.CRASH_ROUNDS !== undefined) process.stdout.write(`round ${done} of ${rounds}\n`);
        };
        const result = await crashLoop({ program, random: new SeededRandom(seed), rounds, onRound });
        expect(result.anomalies).toEqual([]);
        expect(result.acknowledged).toBeGreaterThan(rounds * 10);
        if (process.env.CRASH_ROUNDS !== undefined) process.stdout.write(`${JSON.stringify(result)}\n`);
      } finally {
        await program[Symbol.asyncDispose]();
      }
    },
    60_000 + rounds * 10_000,
  );
});
