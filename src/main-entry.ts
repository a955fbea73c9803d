#!/usr/bin/env node
/**
 * The way into the program, `dist/main.cjs`: loads and runs it. Main thread. CommonJS, because Node's loader of ES modules
 * uses libuv's threads, and how many there are is settled by their first use.
 */

import { threadPoolSetting, threadPoolSize } from './base/thread-pool.ts';
import { loadProgram } from './load-program.ts';

process.env[threadPoolSetting] ??= String(threadPoolSize);
void loadProgram().runProgram();
