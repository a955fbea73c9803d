/** All that `program.js` exports: the program, and what embedders get. Any thread. */

export * from './index.ts';
export { runProgram } from './main.ts';
