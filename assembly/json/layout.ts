// Where things lie in the memory of the JSON module, and what its numbers mean (`src/server/json/json-core.ts` has the same).
// The memory is one thread's own, and holds one text at a time.
//
//   1024     1040      1048       1536     2048   2560     2816    3072       4096
//   | failure | unknown | repeated | nesting | names | buckets | chains | members | text, and 64 bytes that may hold anything
//
//   failure   i32 problem, i32 where it is, i32 whether the text is right as far as it goes and ends too early
//   unknown   i32 start and i32 end of the first name that is none of the names; 0, 0 where there is none
//   repeated  i32 start and i32 end of the first name that came before; 0, 0 where there is none
//   nesting   a byte for each array (1) and object (0) that is open
//   names     16 bytes each, the rest zeros       buckets   the last name of each bucket, counted from 1; 0: none
//   chains    for each name the next of its bucket
//   members   12 bytes for each name: i32 kind, i32 start, i32 end

export const failure: usize = 1024;
export const unknownName: usize = 1040;
export const repeatedName: usize = 1048;
export const nesting: usize = 1536;
export const names: usize = 2048;
export const buckets: usize = 2560;
export const chains: usize = 2816;
export const members: usize = 3072;

export const sizeOfName: u32 = 16;
export const sizeOfMember: u32 = 12;
/** So many bytes behind a text may be read, whatever they are. */
export const slack: usize = 64;

// What a text may be, and what is looked at; combine with `|`.
/** A newline ends the text, as in NDJSON. */
export const newlineEnds: u32 = 1;
/** Strings hold UTF-8 (RFC 3629); without it whoever gave the text has made sure of that. */
export const checksUtf8: u32 = 2;
/** The value stands for itself, rather than within another one. */
export const alone: u32 = 4;

export const kindAbsent: i32 = 0;
export const kindNull: i32 = 1;
export const kindString: i32 = 2;
export const kindEscapedString: i32 = 3;
export const kindNumber: i32 = 4;
export const kindBoolean: i32 = 5;
export const kindObject: i32 = 6;
export const kindArray: i32 = 7;

export const noValue: i32 = 1;
export const endsWithin: i32 = 2;
export const lineEndsWithin: i32 = 3;
export const lineEndsInString: i32 = 4;
export const notClosed: i32 = 5;
export const controlCharacter: i32 = 6;
export const notUtf8: i32 = 7;
export const unknownEscape: i32 = 8;
export const wrongHex: i32 = 9;
export const noDigits: i32 = 10;
export const leadingZero: i32 = 11;
export const noFraction: i32 = 12;
export const noExponent: i32 = 13;
export const notOfNumber: i32 = 14;
export const wordCut: i32 = 15;
export const unknownWord: i32 = 16;
export const tooDeep: i32 = 17;
export const valueExpected: i32 = 18;
export const nameExpected: i32 = 19;
export const colonExpected: i32 = 20;
export const endOfArrayExpected: i32 = 21;
export const endOfObjectExpected: i32 = 22;
export const objectExpected: i32 = 23;
