import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Clients that need more than Node: `npm run test:clients`. What is not installed is fetched, or its tests skip. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../../..', import.meta.url)),
    include: ['test/clients/more/*.check.ts'],
    // The first run may fetch packages, and every Java client starts a virtual machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
