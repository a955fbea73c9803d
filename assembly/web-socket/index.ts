// The exports of the module that reads WebSocket frames; `src/server/web/frame-core.ts` declares them for TypeScript. It has a
// memory of its own, into which sockets are read.

export { readFrames } from './frames';
export { unmask } from './masking';
export { makeRecords, recordsMadeEnd } from './records';
