import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

const benchmarks = ['test/bench-*.test.ts'];
/** What works in its own process and leaves nothing in it: no server, no worker, no file, no measure of the process. */
const units = [
  'test/base/**/*.test.ts',
  'test/bench/**/*.test.ts',
  'test/broker/**/*.test.ts',
  'test/core/**/*.test.ts',
  'test/memory/**/*.test.ts',
  'test/protocol/**/*.test.ts',
  'test/records/**/*.test.ts',
];
/** More than this was never tried. */
const mostAtOnce = 4;

export default defineConfig({
  test: {
    // Files depend on nothing that others share. Vitest's own default leaves one of two cores to itself, where it has little to do.
    maxWorkers: Math.min(availableParallelism(), mostAtOnce),
    // Tests start real brokers and measure nothing: a generous limit only ends a hang.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // In the order of their names: those with many processes first, and last the short ones, which fill up what is left.
    projects: [
      {
        extends: true,
        test: { name: 'benchmarks', include: benchmarks, globalSetup: ['test/compile-benchmarks.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'brokers',
          include: ['test/**/*.test.ts', 'examples/**/*.test.js'],
          exclude: [...configDefaults.exclude, ...benchmarks, ...units],
        },
      },
      // One process for many files: loading the modules takes most of them longer than all that they test.
      { extends: true, test: { name: 'units', include: units, isolate: false } },
    ],
  },
});
