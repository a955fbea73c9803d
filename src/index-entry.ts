/** The way in for embedders, `dist/index.js`: what `index.ts` exports, of the script that the program runs as well. Any thread. */

import { loadProgram } from './load-program.ts';

export const { BrokerError, EnvironmentError, EnvironmentErrorCode, bytes, json, startBroker, text } = loadProgram();
