import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.js'],
    // Tests start real brokers and measure nothing: a generous limit only ends a hang.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
