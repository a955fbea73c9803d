// Where things lie in the memory of the module that reads WebSocket frames, and what its numbers mean
// (`src/server/web/frame-core.ts` has the same). The memory is one thread's own.
//
//   0      4096                  8192             65536         131072     393216     458752         851968
//   | JSON | stopped at, problem | rows of frames | room before | one read | anything | records made | anything
//
//   JSON   of the module that passes over it, which looks at what was read where it lies
//   rows   12 bytes for each frame: u32 where its payload begins, u32 where it ends, u32 its first byte and `wrongUtf8`

export const stoppedAt: usize = 4096;
export const problem: usize = 4100;
export const rows: usize = 8192;
export const mostRows: i32 = 4096;
export const sizeOfRow: usize = 12;
/** Where records are made, and where they end at most. */
export const records: usize = 458752;
export const recordsEnd: usize = 851968;

/** Beside a frame's first byte: a whole text that is no UTF-8. */
export const wrongUtf8: u32 = 0x100;

export const noProblem: u32 = 0;
/** A client masks every frame (RFC 6455, section 5.1). */
export const notMasked: u32 = 1;
/** Reserved bits or opcodes, and control frames that are fragmented or too long. */
export const malformed: u32 = 2;
export const tooLarge: u32 = 3;
