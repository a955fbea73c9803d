/** Suites of Python's clients: an environment of Python's own for each, and the outcomes of pytest. For scripts/suites.mjs. */

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from '../build/bench/peers/cache.js';
import { runCommand } from '../build/bench/peers/commands.js';
import { clone, needs, run } from './suite-commands.mjs';

const plugin = 'suite_outcomes';
/** Tests print what they like, in the middle of pytest's own lines too: outcomes go to a file, [test, part, outcome] a line. */
const pluginSource = `import json
import os


def write(*fields):
    with open(os.environ["SUITE_OUTCOMES"], "a") as file:
        file.write(json.dumps(fields) + "\\n")


def pytest_runtest_logstart(nodeid, location):
    write(nodeid, "start", "started")


def pytest_runtest_logreport(report):
    write(report.nodeid, report.when, report.outcome)


def pytest_collectreport(report):
    if report.failed:
        write(report.nodeid, "collect", report.outcome)
`;

/**
 * Clones a tag, and installs with pip into `python/` what the tests want: `packages`, and the clone itself unless they
 * have what it builds. `adapt` may change the clone.
 */
export function installPython(name, version, onNote, { url, tag, packages, isBuilt = true, adapt = () => {} }) {
  return installed(`suite-${name}-${version}`, onNote, (into) => {
    needs(name, 'python3');
    const source = join(into, name);
    clone(url, tag, source);
    adapt(source);
    runCommand('python3', ['-m', 'venv', join(into, 'python')]);
    const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check'];
    runCommand(join(into, 'python', 'bin', 'python'), [...pip, ...packages, ...(isBuilt ? [source] : [])]);
  });
}

/** Runs pytest; outcomes by the names of tests. A test that was begun and never ended failed. */
export async function pytest(folder, cwd, args, { environment, limitMs, log }) {
  const python = join(folder, 'python', 'bin', 'python');
  const outcomesFile = `${log}-outcomes.txt`;
  rmSync(outcomesFile, { force: true });
  writeFileSync(join(folder, `${plugin}.py`), pluginSource);
  const command = ['-m', 'pytest', '-v', '-p', 'no:cacheprovider', '-p', plugin, ...args];
  const own = { PYTHONPATH: folder, SUITE_OUTCOMES: outcomesFile };
  await run(python, command, { cwd, environment: { ...environment, ...own }, limitMs, log });
  return outcomesIn(outcomesFile);
}

function outcomesIn(file) {
  const parts = new Map();
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  for (const line of lines.filter((text) => text !== '')) {
    const [test, part, outcome] = JSON.parse(line);
    const known = parts.get(test) ?? {};
    parts.set(test, { ...known, [part]: outcome });
  }
  return new Map([...parts].map(([test, ended]) => [test, outcomeOf(ended)]));
}

function outcomeOf({ start: _start, ...ended }) {
  const outcomes = Object.values(ended);
  if (outcomes.includes('failed')) return 'failed';
  if (outcomes.includes('skipped')) return 'skipped';
  return ended.call === 'passed' && ended.teardown === 'passed' ? 'passed' : 'failed';
}
