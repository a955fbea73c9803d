// The exports of the JSON module; `src/server/json/json-core.ts` declares them for TypeScript. It has a memory of its own,
// because V8 copies into shared memory a byte at a time where both sides do not lie alike, and messages lie anywhere.

export { scanMembers } from './members';
export { scanValue } from './values';
